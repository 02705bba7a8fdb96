"""The demo's clinics, their staff and their sizes."""

from dataclasses import dataclass

ROLES = ("owner", "reception", "clinician")


@dataclass(frozen=True)
class Person:
    clinic: str
    role: str

    @property
    def email(self) -> str:
        return f"{self.role}@{self.clinic}.example"

    @property
    def name(self) -> str:
        return f"{self.clinic} {self.role}".title()

    @property
    def password(self) -> str:
        """Printed on the terminal: it only protects invented patients on this machine."""
        return f"just-looking-{self.clinic}"


OPERATOR = Person("sidechart", "ops")  # signs in to the console on the base host


@dataclass(frozen=True)
class DemoClinic:
    label: str
    name: str
    patients: int

    @property
    def people(self) -> list[Person]:
        return [Person(self.label, role) for role in ROLES]


@dataclass(frozen=True)
class DemoOptions:
    """Options of `make demo`."""

    web_port: int
    cliniko_port: int
    bondi: int
    harbour: int

    @property
    def clinics(self) -> list[DemoClinic]:
        return [
            DemoClinic("bondi", "Bondi Physio", self.bondi),
            DemoClinic("harbour", "Harbour Osteopathy", self.harbour),
        ]

    def cliniko_url(self, clinic: DemoClinic) -> str:
        """Return the URL of the clinic's patient list in the sandbox."""
        return f"http://localhost:{self.cliniko_port}/{clinic.label}/patients"

    def sidechart_url(self, clinic: DemoClinic) -> str:
        return f"http://{clinic.label}.localhost:{self.web_port}/"

    @property
    def console_url(self) -> str:
        return f"http://localhost:{self.web_port}/ops/"

    def integrations_url(self, clinic: DemoClinic) -> str:
        """Return the URL of the sandbox page with the clinic's connected patient apps."""
        return f"http://localhost:{self.cliniko_port}/{clinic.label}/settings/integrations"
