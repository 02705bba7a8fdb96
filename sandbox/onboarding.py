"""Has the demo's clinics onboarded: by the commands that ops use, and by people who follow their invitations."""

import json
import sys
from typing import Any
from urllib.parse import urlsplit

from sandbox.browser import Browser, Fields
from sandbox.demo_data import DemoClinic, Person
from sandbox.supervisor import DemoError, Supervisor

ALREADY_STAFF = "already has an account"
ALREADY_OPS = "is one of ops already"
NOT_THERE = "There is no clinic"


class Onboarding:
    """Brings clinics to where the demo wants them; what is there already stays as it is."""

    def __init__(self, supervisor: Supervisor):
        self._supervisor = supervisor

    def onboard(self, clinic: DemoClinic, keys: dict[str, str]) -> dict[str, Any]:
        """Make the clinic, give it its key and its staff, each where it is missing.

        Answers what `clinic show` says, as far as it is known of a clinic that was made just now.
        """
        report, people = self._find(clinic), clinic.people
        if report is None:
            report, people = self._create(clinic), clinic.people[1:]
        if report["key_state"] != "ok":
            self.manage("set-key", clinic.label, "--key-stdin", typed=keys[clinic.label])
        if report["staff"] < len(clinic.people):
            for person in people:
                self._invite(person)
        return report

    def _find(self, clinic: DemoClinic) -> dict[str, Any] | None:
        try:
            return self.show(clinic)
        except DemoError as refused:
            if NOT_THERE in str(refused):
                return None
            raise

    def _create(self, clinic: DemoClinic) -> dict[str, Any]:
        owner = clinic.people[0]
        made: dict[str, Any] = self.manage("create", clinic.label, "--name", clinic.name, "--owner", owner.email)
        accept(made["invite_url"], owner)
        return made | {"key_state": "", "staff": 1, "cursors": {}}

    def make_ops(self, person: Person) -> None:
        """Give somebody an account at the console, where it is missing."""
        try:
            invited = json.loads(
                self._supervisor.run(sys.executable, "manage.py", "ops", "create", person.email, "--json")
            )
        except DemoError as refused:
            if ALREADY_OPS in str(refused):
                return
            raise
        accept(invited["invite_url"], person)

    def mirror(self, clinic: DemoClinic) -> None:
        """Run the first sync with its progress bars on the terminal."""
        self._supervisor.run(sys.executable, "manage.py", "clinic", "sync", clinic.label, shown=True)

    def show(self, clinic: DemoClinic) -> dict[str, Any]:
        report: dict[str, Any] = self.manage("show", clinic.label)
        return report

    def manage(self, action: str, *words: str, typed: str = "") -> Any:
        """The answer of `manage.py clinic ACTION …`."""
        command = (sys.executable, "manage.py", "clinic", action, *words, "--json")
        return json.loads(self._supervisor.run(*command, typed=f"{typed}\n"))

    def _invite(self, person: Person) -> None:
        try:
            invited = self.manage("invite", person.clinic, "--email", person.email, "--role", person.role)
        except DemoError as refused:
            if ALREADY_STAFF in str(refused):
                return
            raise
        accept(invited["invite_url"], person)


def connect(settings_url: str, launch_url: str) -> None:
    """Put the button on the clinic's patient pages: add Sidechart to Cliniko's connected patient apps, or correct it.

    The rows that are there stay, unless Cliniko trusts one no longer: it saves all or none.
    """
    browser = Browser()
    sent = [value for _, value in Fields(browser.get(settings_url).text).sent]
    rows = [row for row in zip(sent[::2], sent[1::2], strict=False) if any(row)]
    if ("Sidechart", launch_url) in rows:
        return
    others = [row for row in rows if urlsplit(row[1]).hostname != urlsplit(launch_url).hostname]
    for kept in (others, []):
        wanted = [*kept, ("Sidechart", launch_url)]
        fields = [pair for name, url in wanted for pair in (("app_name", name), ("app_url", url))]
        if browser.post(settings_url, fields).status_code == 303:
            return
    raise DemoError(f"Cliniko's sandbox does not take {launch_url} as a connected app.")


def mirrored(report: dict[str, Any]) -> bool:
    """Whether the first import of every resource is done, by the answer of `clinic show`."""
    cursors = report["cursors"].values()
    return bool(cursors) and all(cursor["imported_at"] or cursor["refused_at"] for cursor in cursors)


def accept(invite_url: str, person: Person) -> None:
    """Follow an invitation, choose the password, and be staff. Raises DemoError when the page does not let us."""
    browser = Browser()
    page = browser.get(invite_url)
    chosen = {"name": person.name, "password1": person.password, "password2": person.password}
    kept = [(name, value) for name, value in Fields(page.text).sent if name not in chosen]
    answer = browser.post(invite_url, [*kept, *chosen.items()])
    if answer.status_code != 302:
        raise DemoError(f"The invitation of {person.email} was not taken: status {answer.status_code}.")
