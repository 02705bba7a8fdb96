"""A worker or a launch that writes, and an owner who leaves fields out at that moment, each over its own connection."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from audit.log import OPS
from audit.models import Event
from sync import excluded_fields
from sync.connection import state as connection_state
from sync.field_groups import BY_NAME
from sync.models import Connection, ExcludedField, Patient, PatientChange
from sync.resources import PATIENTS
from sync.walk.lease import Lease
from sync.walk.store import next_sequence, write_page
from tenants.context import clinic_context
from tests.payloads import patient_payload

Guard = Callable[[], Any]
ID = "77"


def elsewhere(*works: Callable[[], Any]) -> list[Any]:
    """Run each at bondi in a thread with a connection of its own. What they commit stays."""

    def alone(work: Callable[[], Any]) -> Any:
        try:
            with clinic_context("bondi"):
                with database.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '5s'")
                return work()
        finally:
            database.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(alone, works))


def begin() -> None:
    Connection.objects.create(id=1, sealed_key="not opened in this test")
    write_page(PATIENTS, [patient_payload(ID, notes="Before")], sequence=next_sequence())


def tidy() -> None:
    for model in (Connection, ExcludedField, Patient, PatientChange):
        model._default_manager.all().delete()
    with database.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger refuses
        Event.objects.all().delete()


@pytest.fixture(autouse=True)
def _held(db: None) -> Iterator[None]:
    elsewhere(begin)
    yield
    elsewhere(tidy)


def by_lease() -> None:
    Lease().__enter__().renew()


def by_launch() -> None:
    assert connection_state.key_is_unchanged(connection_state.load())


def write(guard: Guard, *, before: Guard, after: Guard) -> None:
    sequence = next_sequence()
    page = [patient_payload(ID, notes="Fetched before", first_name="Adele", updated_at="2026-02-01T00:00:00Z")]
    before()
    with transaction.atomic():
        guard()
        write_page(PATIENTS, page, sequence=sequence)
        after()


def held() -> tuple[dict[str, Any], set[str]]:
    return Patient.objects.get(cliniko_id=ID).payload, set(PatientChange.objects.values_list("field", flat=True))


@pytest.mark.parametrize("guard", [by_lease, by_launch])
def test_a_page_that_is_being_written_is_cleaned_with_the_rest(guard: Guard) -> None:
    written = threading.Event()

    def owner() -> None:
        assert written.wait(5)
        excluded_fields.exclude(BY_NAME["notes"], by=OPS)

    def linger() -> None:
        written.set()
        time.sleep(0.4)  # the owner is waiting by now

    elsewhere(lambda: write(guard, before=lambda: None, after=linger), owner)
    _nothing_is_left()


@pytest.mark.parametrize("guard", [by_lease, by_launch])
def test_a_page_that_comes_while_fields_are_removed_waits_and_brings_none(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = threading.Event()
    record = excluded_fields.record

    def slowly(*args: Any, **details: Any) -> Event:
        removed.set()
        time.sleep(0.4)  # the page is waiting by now
        return record(*args, **details)

    monkeypatch.setattr(excluded_fields, "record", slowly)
    elsewhere(
        lambda: excluded_fields.exclude(BY_NAME["notes"], by=OPS),
        lambda: write(guard, before=lambda: removed.wait(5), after=lambda: None),
    )
    _nothing_is_left()


def _nothing_is_left() -> None:
    ((payload, changes),) = elsewhere(held)
    assert payload["first_name"] == "Adele"
    assert "notes" not in payload
    assert changes == {"first_name"}
