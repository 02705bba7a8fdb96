"""What the registered wildcard covers."""

import pytest

from sandbox.cliniko.pages.app_urls import is_approved

APPROVED = ("https://*.example.com/patients", "http://*.localhost:8000/patients")


@pytest.mark.parametrize(
    "url",
    [
        "https://au.example.com/patients",
        "https://staging-au1.example.com/patients",
        "https://7.example.com/patients",
        "http://bondi.localhost:8000/patients",
    ],
)
def test_one_label_of_letters_digits_and_dashes_is_covered(url):
    assert is_approved(url, APPROVED)


@pytest.mark.parametrize(
    "url",
    [
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
    ],
)
def test_nothing_else_is_covered(url):
    assert not is_approved(url, APPROVED)


def test_a_pattern_without_a_scheme_means_https():
    assert is_approved("https://au.example.com/patients", ["*.example.com/patients"])
    assert not is_approved("http://au.example.com/patients", ["*.example.com/patients"])
