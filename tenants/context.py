"""The door into a clinic for everything that is not a request: tasks, commands, tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.db import DatabaseError, transaction
from django_tenants.utils import get_public_schema_name

from tenants.database import connection
from tenants.models import Clinic

log = structlog.get_logger(__name__)


class NoSuchClinic(LookupError):
    """No clinic of this name is there."""


class ClinicAlreadyEntered(RuntimeError):
    """A clinic was entered from inside a clinic: leave the first one before."""


def current_clinic() -> Clinic:
    """The clinic whose door we are inside of. Raises NoSuchClinic in public."""
    if not isinstance(connection.tenant, Clinic):
        raise NoSuchClinic("This runs inside a clinic only.")
    return connection.tenant


def find_clinic(label: str) -> Clinic:
    """The clinic of `label`. Raises NoSuchClinic with a sentence for ops."""
    clinic = Clinic.objects.exclude(state=Clinic.State.PURGED).filter(label=label).first()
    if clinic is None:
        raise NoSuchClinic(f"There is no clinic {label!r}: `manage.py clinic list` shows the ones that are.")
    return clinic


@contextmanager
def enter_clinic(clinic: Clinic) -> Iterator[Clinic]:
    """Enter the clinic's schema, alone on the search path; on leaving, public again. Raises ClinicAlreadyEntered."""
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
def clinic_of_schema(schema_name: str) -> Iterator[Clinic]:
    """Enter a working clinic by its schema, as a task does. Raises NoSuchClinic when it is gone or suspended."""
    _require_public()
    clinic = Clinic.objects.working().filter(schema_name=schema_name).first()
    if clinic is None:
        raise NoSuchClinic("The clinic of this task is gone or suspended.")
    with enter_clinic(clinic):
        yield clinic


def for_every_clinic(work: Callable[[], object]) -> None:
    """Do `work` inside every working clinic, each in a transaction of its own. One that fails is logged and the others'
    turns come all the same."""
    for clinic in list(Clinic.objects.working()):
        with enter_clinic(clinic):
            try:
                with transaction.atomic():
                    work()
            except DatabaseError as failed:
                log.error("clinic_failed", work=work.__name__, exc_info=failed)


def _require_public() -> None:
    if connection.schema_name != get_public_schema_name():
        raise ClinicAlreadyEntered("Leave the first clinic before entering another.")
