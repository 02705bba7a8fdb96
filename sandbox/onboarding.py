"""Onboard the demo's clinics with the operators' commands and the staff's invitation pages."""

import json
import sys
from typing import Any
from urllib.parse import urlsplit

from sandbox.browser import Browser, FormFields
from sandbox.demo_data import DemoClinic, Person
from sandbox.supervisor import DemoError, Supervisor

ALREADY_STAFF = "already has an account"
ALREADY_OPERATOR = "is already an operator"
NO_CLINIC = "There is no clinic"


class Onboarding:
    """Creates what the demo needs and leaves existing clinics, keys and staff unchanged."""

    def __init__(self, supervisor: Supervisor):
        self._supervisor = supervisor

    def onboard(self, clinic: DemoClinic, keys: dict[str, str]) -> dict[str, Any]:
        """Create the clinic, its key and its staff where missing.

        Return the output of `clinic show`, or the part of it that is known for a new clinic.
        """
        report, people = self._find(clinic), clinic.people
        if report is None:
            report, people = self._create(clinic), clinic.people[1:]
        if report["key_state"] != "ok":
            self.manage("set-key", clinic.label, "--key-stdin", stdin=keys[clinic.label])
        if report["staff"] < len(clinic.people):
            for person in people:
                self._invite(person)
        return report

    def _find(self, clinic: DemoClinic) -> dict[str, Any] | None:
        try:
            return self.show(clinic)
        except DemoError as error:
            if NO_CLINIC in str(error):
                return None
            raise

    def _create(self, clinic: DemoClinic) -> dict[str, Any]:
        owner = clinic.people[0]
        created: dict[str, Any] = self.manage("create", clinic.label, "--name", clinic.name, "--owner", owner.email)
        accept_invitation(created["invite_url"], owner)
        return created | {"key_state": "", "staff": 1, "cursors": {}}

    def create_operator(self, person: Person) -> None:
        """Create an operator's account if missing."""
        try:
            invited = json.loads(
                self._supervisor.run(sys.executable, "manage.py", "ops", "create", person.email, "--json")
            )
        except DemoError as error:
            if ALREADY_OPERATOR in str(error):
                return
            raise
        accept_invitation(invited["invite_url"], person)

    def import_records(self, clinic: DemoClinic) -> None:
        """Run the first sync and show its progress bars on the terminal."""
        self._supervisor.run(sys.executable, "manage.py", "clinic", "sync", clinic.label, show_progress=True)

    def show(self, clinic: DemoClinic) -> dict[str, Any]:
        report: dict[str, Any] = self.manage("show", clinic.label)
        return report

    def manage(self, action: str, *words: str, stdin: str = "") -> Any:
        """Return the JSON output of `manage.py clinic ACTION …`."""
        command = (sys.executable, "manage.py", "clinic", action, *words, "--json")
        return json.loads(self._supervisor.run(*command, stdin=f"{stdin}\n"))

    def _invite(self, person: Person) -> None:
        try:
            invited = self.manage("invite", person.clinic, "--email", person.email, "--role", person.role)
        except DemoError as error:
            if ALREADY_STAFF in str(error):
                return
            raise
        accept_invitation(invited["invite_url"], person)


def connect_app(settings_url: str, launch_url: str) -> None:
    """Add Sidechart to the clinic's connected patient apps in Cliniko, or correct its URL.

    Other apps stay, unless Cliniko no longer trusts one of them: it saves all rows or none.
    """
    browser = Browser()
    values = [value for _, value in FormFields(browser.get(settings_url).text).values]
    rows = [row for row in zip(values[::2], values[1::2], strict=False) if any(row)]
    if ("Sidechart", launch_url) in rows:
        return
    others = [row for row in rows if urlsplit(row[1]).hostname != urlsplit(launch_url).hostname]
    for other_apps in (others, []):
        apps = [*other_apps, ("Sidechart", launch_url)]
        fields = [pair for name, url in apps for pair in (("app_name", name), ("app_url", url))]
        if browser.post(settings_url, fields).status_code == 303:
            return
    raise DemoError(f"The Cliniko sandbox refused {launch_url} as a connected app.")


def is_imported(report: dict[str, Any]) -> bool:
    """Return True if `clinic show` reports every resource as imported or refused."""
    cursors = report["cursors"].values()
    return bool(cursors) and all(cursor["imported_at"] or cursor["refused_at"] for cursor in cursors)


def accept_invitation(invite_url: str, person: Person) -> None:
    """Accept an invitation with the person's password. Raises DemoError if the page refuses."""
    browser = Browser()
    page = browser.get(invite_url)
    answers = {"name": person.name, "password1": person.password, "password2": person.password}
    hidden = [(name, value) for name, value in FormFields(page.text).values if name not in answers]
    response = browser.post(invite_url, [*hidden, *answers.items()])
    if response.status_code != 302:
        raise DemoError(f"The invitation of {person.email} failed with status {response.status_code}.")
