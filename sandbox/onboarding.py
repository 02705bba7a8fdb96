"""Has the demo's clinics onboarded: by the commands that ops use, and by people who follow their invitations."""

import json
import sys
from typing import Any

from sandbox.browsing import Browser, Fields
from sandbox.cast import DemoClinic, Person
from sandbox.supervisor import DemoError, Supervisor

ALREADY_STAFF = "already has an account"


class Onboarding:
    """Brings clinics to where the demo wants them; what is there already stays as it is."""

    def __init__(self, supervisor: Supervisor):
        self._supervisor = supervisor

    def known(self) -> set[str]:
        """The labels of the clinics that exist."""
        return {row["clinic"] for row in self.manage("list")}

    def create(self, clinic: DemoClinic) -> None:
        """Make the clinic; its owner accepts the invitation."""
        owner = clinic.people[0]
        made = self.manage("create", clinic.label, "--name", clinic.name, "--owner", owner.email)
        accept(made["invite_url"], owner)

    def complete(self, clinic: DemoClinic, key: str) -> dict[str, Any]:
        """Give the clinic its key and its staff where they are missing; answers `clinic show`."""
        report = self.show(clinic)
        if report["key_state"] != "ok":
            self.manage("set-key", clinic.label, "--key-stdin", typed=key)
        if report["staff"] < len(clinic.people):
            for person in clinic.people:
                self._invite(person)
        return report

    def mirror(self, clinic: DemoClinic) -> dict[str, Any]:
        """Run the first sync with its progress bars on the terminal; answers `clinic show`."""
        self._supervisor.run(sys.executable, "manage.py", "clinic", "sync", clinic.label, shown=True)
        return self.show(clinic)

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
