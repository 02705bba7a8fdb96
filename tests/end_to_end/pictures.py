"""`make pictures`: screenshots for docs/pictures/, or of every screen in both sizes and schemes in a given folder."""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from embedded import services
from tests.browser import ARGUMENTS, CHROMIUM, NO_CHROMIUM
from tests.end_to_end.console import visit_console
from tests.end_to_end.pages import connect_app, sign_in
from tests.end_to_end.stack import Stack, running_stack
from tests.services import ROOT

SIZES = {"wide": ViewportSize(width=1280, height=860), "narrow": ViewportSize(width=390, height=844)}
VIEWPORT_ONLY = {"cliniko-button"}  # screenshots of the others show the full page
# The docs show every screen wide and light, and these in other variants too.
ALSO_IN_DOCS = {
    *("sign-in-narrow-light", "patient-narrow-dark", "security-narrow-dark", "app-narrow-light"),
    *("access-of-patient-wide-dark", "unknown-patient-narrow-light"),
}


class Camera:
    """Takes the screenshots of one size and colour scheme."""

    def __init__(self, page: Page, folder: Path, suffix: str, for_docs: bool):
        self.page = page
        self._for_docs = for_docs
        self._folder = folder
        self._suffix = suffix

    def take(self, name: str) -> None:
        if self._for_docs and self._suffix != "wide-light" and f"{name}-{self._suffix}" not in ALSO_IN_DOCS:
            return
        self.page.wait_for_load_state("networkidle")
        self.page.screenshot(path=self._folder / f"{name}-{self._suffix}.png", full_page=name not in VIEWPORT_ONLY)


def main(folder: Path, *, for_docs: bool = False) -> None:
    """Start a stack with its own database and take all screenshots, or those for the docs. Exits without Chromium."""
    if not CHROMIUM:
        sys.exit(NO_CHROMIUM)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, services.running(Path(home), fsync=False):
        os.environ["DATABASE_URL"] = services.postgres_url(Path(home))
        os.environ["CELERY_BROKER_URL"] = services.broker_url(Path(home))
        with running_stack(Path(home), worker="pictures") as stack, sync_playwright() as playwright:
            patient_id = busiest_patient(stack)
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, "--no-sandbox"])
            for size, viewport in SIZES.items():
                for scheme in ("light", "dark"):
                    page = browser.new_page(viewport=viewport, color_scheme=scheme)
                    visit_screens(page, stack, patient_id, Camera(page, folder, f"{size}-{scheme}", for_docs).take)
                    page.close()


def busiest_patient(stack: Stack) -> str:
    """Return the ID of the patient with alerts, if any, and the most appointments."""

    def fullness(patient_id: str) -> tuple[int, int]:
        alerts = stack.store.for_patient("bondi", "medical_alerts", patient_id)
        appointments = stack.store.for_patient("bondi", "individual_appointments", patient_id)
        return min(len(alerts), 1), len(appointments)

    patients = (str(record.id) for record in stack.store.all("bondi", "patients") if not record.archived_at)
    return max(patients, key=fullness)


def visit_screens(page: Page, stack: Stack, patient_id: str, visit: Callable[[str], None]) -> None:
    """Open every screen and call `visit` with its name."""
    owner = stack.person("bondi", "owner")
    connect_app(page, stack, "bondi", stack.sidechart("bondi", "/patients"))
    page.goto(stack.cliniko("bondi", f"/patients/{patient_id}"))
    page.get_by_role("button", name="Open in").click()
    visit("cliniko-button")
    page.goto(stack.sidechart("bondi", f"/patients?patient_id={patient_id}"))
    visit("sign-in")
    sign_in(page, owner)
    visit("patient")
    page.goto(stack.sidechart("bondi"))
    visit("home")
    page.get_by_role("searchbox").press_sequentially("an")
    page.get_by_role("heading", name="found").wait_for()
    visit("search")
    for name, path in (
        ("settings", "/settings/"),
        ("key", "/settings/key"),
        ("sync", "/settings/sync"),
        ("welcome", "/welcome"),
        ("button", "/settings/button"),
        ("staff", "/settings/staff/"),
        ("security", "/settings/security"),
        ("privacy", "/settings/privacy"),
        ("own-sign-in", "/account/"),
        ("app", "/account/app"),
        ("passkey", "/account/passkeys/add"),
        ("export", "/settings/export"),
        ("access-log", "/settings/access"),
        ("access-of-patient", f"/patients/{patient_id}/access"),
        ("unknown-patient", "/patients?patient_id=77"),
        ("malformed-launch", "/patients?patient_id=x"),
        ("wrong-address", "/patient?patient_id=77"),
        ("not-found", "/nothing-here"),
    ):
        page.goto(stack.sidechart("bondi", path))
        visit(name)
    page.goto(stack.sidechart("nowhere"))
    visit("nobody-here")
    page.goto(f"http://localhost:{stack.options.web_port}/")
    visit("landing")
    visit_console(page, stack, visit)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        main(ROOT / "docs" / "pictures", for_docs=True)
