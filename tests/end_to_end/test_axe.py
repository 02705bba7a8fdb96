"""No page breaks a rule of axe-core: contrast, names, roles, order; light and dark, wide and narrow. None asks the
browser for what its own policy refuses."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.end_to_end.pictures import SIZES, somebody_with_alerts, walk
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]

# Reference: https://github.com/dequelabs/axe-core/blob/develop/doc/API.md#axe-core-tags
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


Scheme = Literal["light", "dark"]
LOOKS: tuple[tuple[str, Scheme], ...] = (("narrow", "dark"), ("wide", "light"))


def test_no_screen_breaks_a_rule_of_accessibility(stack: Stack, browser: Browser) -> None:
    page = browser.new_page(viewport=SIZES["wide"], color_scheme="light", reduced_motion="reduce")
    axe = Axe()
    seen: set[str] = set()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    broken: list[str] = []

    def look(name: str) -> None:
        page.wait_for_load_state("load")
        expect(page.locator(".htmx-request")).to_have_count(0)
        seen.add(name)
        if name.startswith("cliniko"):
            return  # the stand-in's page
        for size, scheme in LOOKS:  # and so it is wide and light again on the next one
            page.set_viewport_size(SIZES[size])
            page.emulate_media(color_scheme=scheme)
            for violation in axe.run(page, options=RULES).response["violations"]:
                where = f"{name}, {size} and {scheme}: {violation['id']}"
                broken.extend(f"{where} at {' '.join(node['target'])}" for node in violation["nodes"])

    walk(page, stack, somebody_with_alerts(stack), look)
    page.close()
    ours = {"sign-in", "patient", "search", "settings", "key", "sync", "welcome", "staff", "landing"}
    assert ours | {"ops-clinics", "ops-opened"} <= seen
    assert not broken, "\n".join(broken)
    assert not refused, "\n".join(refused)
