"""The entry point into a clinic for everything but requests: tasks, commands and tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.db import DatabaseError, transaction
from django_tenants.utils import get_public_schema_name

from tenants.database import connection
from tenants.models import Clinic

log = structlog.get_logger(__name__)


class NoSuchClinic(LookupError):
    """There is no such clinic."""


class ClinicAlreadyEntered(RuntimeError):
    """A clinic was entered inside another clinic's context."""


def current_clinic() -> Clinic:
    """Return the clinic whose schema is active. Raises NoSuchClinic in public."""
    if not isinstance(connection.tenant, Clinic):
        raise NoSuchClinic("This code must run inside a clinic.")
    return connection.tenant


def find_clinic(label: str) -> Clinic:
    """Return the clinic with this label. Raises NoSuchClinic with a message for operators."""
    clinic = Clinic.objects.exclude(state=Clinic.State.PURGED).filter(label=label).first()
    if clinic is None:
        raise NoSuchClinic(f"There is no clinic {label!r}. `manage.py clinic list` lists all clinics.")
    return clinic


@contextmanager
def enter_clinic(clinic: Clinic) -> Iterator[Clinic]:
    """Make the clinic's schema the only one on the search path, and return to public on exit.

    Raises ClinicAlreadyEntered.
    """
    _require_public()
    connection.set_tenant(clinic, include_public=False)
    try:
        with structlog.contextvars.bound_contextvars(clinic=clinic.label):
            yield clinic
    finally:
        connection.set_schema_to_public()


@contextmanager
def clinic_context(label: str) -> Iterator[Clinic]:
    """Enter a clinic by its label. Raises NoSuchClinic, ClinicAlreadyEntered."""
    _require_public()
    with enter_clinic(find_clinic(label)) as clinic:
        yield clinic


@contextmanager
def clinic_context_for_schema(schema_name: str) -> Iterator[Clinic]:
    """Enter a clinic by its schema, as tasks do. Raises NoSuchClinic if it is gone or suspended."""
    _require_public()
    clinic = Clinic.objects.working().filter(schema_name=schema_name).first()
    if clinic is None:
        raise NoSuchClinic("The clinic of this task is gone or suspended.")
    with enter_clinic(clinic):
        yield clinic


def for_every_clinic(work: Callable[[], object]) -> None:
    """Call `work` inside every working clinic, each in its own transaction. Log database errors and continue."""
    for clinic in list(Clinic.objects.working()):
        with enter_clinic(clinic):
            try:
                with transaction.atomic():
                    work()
            except DatabaseError as error:
                log.error("clinic_failed", work=work.__name__, exc_info=error)


def _require_public() -> None:
    if connection.schema_name != get_public_schema_name():
        raise ClinicAlreadyEntered("Leave the current clinic before entering another.")
