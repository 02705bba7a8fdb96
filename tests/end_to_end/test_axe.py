"""Every page passes axe-core's rules in light and dark, wide and narrow, and keeps its Content Security Policy."""

from collections.abc import Mapping
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.end_to_end.pictures import SIZES, busiest_patient, visit_screens
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]

# Reference: https://github.com/dequelabs/axe-core/blob/develop/doc/API.md#axe-core-tags
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
# The markup is the same in both modes; what differs is looked at again.
COLOURS_AND_SIZES = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "target-size", "scrollable-region-focusable"]},
}


Scheme = Literal["light", "dark"]
MODES: tuple[tuple[str, Scheme, Mapping[str, object]], ...] = (
    ("narrow", "dark", RULES),
    ("wide", "light", COLOURS_AND_SIZES),
)


def test_every_screen_is_accessible(stack: Stack, browser: Browser) -> None:
    page = browser.new_page(viewport=SIZES["wide"], color_scheme="light", reduced_motion="reduce")
    axe = Axe()
    seen: set[str] = set()
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text))
    broken: list[str] = []

    def visit(name: str) -> None:
        page.wait_for_load_state("load")
        expect(page.locator(".htmx-request")).to_have_count(0)
        seen.add(name)
        if name.startswith("cliniko"):
            return  # the sandbox's page
        for size, scheme, rules in MODES:  # ends with wide and light, as the next page begins
            page.set_viewport_size(SIZES[size])
            page.emulate_media(color_scheme=scheme)
            for violation in axe.run(page, options=dict(rules)).response["violations"]:
                where = f"{name}, {size} and {scheme}: {violation['id']}"
                broken.extend(f"{where} at {' '.join(node['target'])}" for node in violation["nodes"])

    visit_screens(page, stack, busiest_patient(stack), visit)
    page.close()
    ours = {"sign-in", "patient", "search", "settings", "key", "sync", "welcome", "staff", "landing"}
    assert ours | {"ops-clinics", "ops-opened"} <= seen
    assert not broken, "\n".join(broken)
    csp_errors = [text for text in console if "Content Security Policy" in text]
    assert not csp_errors, "\n".join(csp_errors)
