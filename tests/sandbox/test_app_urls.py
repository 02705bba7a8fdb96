"""Approved App URLs and their wildcard."""

from sandbox.cliniko.pages.app_urls import is_approved

APPROVED = ("https://*.example.com/patients", "http://*.localhost:8000/patients")


MATCHING = [
    "https://au.example.com/patients",
    "https://staging-au1.example.com/patients",
    "https://7.example.com/patients",
    "http://bondi.localhost:8000/patients",
]
OTHERS = [
    "",
    "https://fr.eu.example.com/patients",
    "https://.example.com/patients",
    "https://example.com/patients",
    "https://a_b.example.com/patients",
    "https://é.example.com/patients",
    "https://*.example.com/patients",
    "http://au.example.com/patients",
    "https://au.example.com:8443/patients",
    "https://au.example.com/patients/",
    "https://au.example.com/patient",
    "https://au.example.com/patients?x=1",
    "https://au.example.com/patients#x",
    "https://au.example.com/patients\n",
    "https://me@au.example.com/patients",
    "https://au.example.com.evil.example/patients",
    "https://evil.example/au.example.com/patients",
    "https://auXexample.com/patients",
    "http://bondi.localhost/patients",
    "http://bondi.localhost:8001/patients",
    "javascript:alert(1)",
    " https://au.example.com/patients",
]


def test_the_wildcard_matches_one_label():
    assert [url for url in MATCHING if not is_approved(url, APPROVED)] == []


def test_other_urls_are_not_approved():
    assert [url for url in OTHERS if is_approved(url, APPROVED)] == []


def test_a_pattern_without_a_scheme_requires_https():
    assert is_approved("https://au.example.com/patients", ["*.example.com/patients"])
    assert not is_approved("http://au.example.com/patients", ["*.example.com/patients"])
