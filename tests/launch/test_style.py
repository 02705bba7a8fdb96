"""The style sheets: contrast in both colour schemes, and no file from another host."""

import re

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

STATIC = settings.STATICFILES_DIRS[0]
CSS = (STATIC / "css" / "sidechart.css").read_text()
TEXT_ON_GROUND = [
    *(("ink", ground) for ground in ("ground", "sheet", "sunken", "accent-soft")),
    *(("ink-soft", ground) for ground in ("ground", "sheet", "sunken")),
    *(("accent", ground) for ground in ("ground", "sheet", "sunken", "accent-soft", "alert-soft", "warn-soft")),
    *(("accent-deep", ground) for ground in ("ground", "sheet", "warn-soft")),
    *(("alert", ground) for ground in ("ground", "sheet", "alert-soft")),
    *((ink, "warn-soft") for ink in ("warn", "ink")),
    ("warn", "sheet"),
    *(("good", ground) for ground in ("sheet", "good-soft")),
    ("on-accent", "accent"),
    ("on-accent", "accent-deep"),
]
# WCAG 1.4.11: what shows where a control is.
EDGE_ON_GROUND = [("line-strong", "sheet"), ("line-strong", "ground"), ("accent", "ground"), ("accent", "sheet")]


def tokens(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    return found | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark)) if scheme == "dark" else found


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND)
def test_text_is_readable(scheme: str, text: str, ground: str) -> None:
    colours = tokens(scheme)
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGE_ON_GROUND)
def test_controls_are_visible(scheme: str, edge: str, ground: str) -> None:
    colours = tokens(scheme)
    assert contrast(colours[edge], colours[ground]) >= 3


def test_no_file_comes_from_another_host() -> None:
    for path in STATIC.rglob("*.*"):
        addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text())
        assert [address for address in addresses if "www.w3.org" not in address] == []


@pytest.mark.parametrize(
    "path", ["css/sidechart.css", "css/patient.css", "js/sidechart.js", "js/patient.js", "favicon.svg"]
)
def test_every_file_that_pages_use_exists(path: str) -> None:
    assert finders.find(path)
