"""A worker or a launch writes while an owner excludes fields, each over its own database connection."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from audit.log import OPS, record
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


def run_in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """Run each at Bondi in a thread with its own database connection. Their commits are not rolled back."""

    def run(call: Callable[[], Any]) -> Any:
        try:
            with clinic_context("bondi"):
                with database.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '5s'")
                return call()
        finally:
            database.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def add_records() -> None:
    Connection.objects.create(id=1, sealed_key="not opened in this test")
    write_page(PATIENTS, [patient_payload(ID, notes="Before")], sequence=next_sequence())


def delete_records() -> None:
    for model in (Connection, ExcludedField, Patient, PatientChange):
        model._default_manager.all().delete()
    with database.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger refuses
        Event.objects.all().delete()


@pytest.fixture(autouse=True)
def _records(db: None) -> Iterator[None]:
    run_in_threads(add_records)
    yield
    run_in_threads(delete_records)


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


def stored() -> tuple[dict[str, Any], set[str]]:
    return Patient.objects.get(cliniko_id=ID).payload, set(PatientChange.objects.values_list("field", flat=True))


@pytest.mark.parametrize("guard", [by_lease, by_launch])
def test_a_page_being_written_is_cleaned_up_with_the_rest(guard: Guard) -> None:
    written = threading.Event()

    def owner() -> None:
        assert written.wait(5)
        excluded_fields.exclude(BY_NAME["notes"], by=OPS)

    def wait_for_owner() -> None:
        written.set()
        time.sleep(0.4)  # the owner is waiting by now

    run_in_threads(lambda: write(guard, before=lambda: None, after=wait_for_owner), owner)
    _assert_nothing_is_left()


@pytest.mark.parametrize("guard", [by_lease, by_launch])
def test_a_page_that_arrives_while_fields_are_removed_waits_and_stores_none(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = threading.Event()

    def slowly(*args: Any, **details: Any) -> Event:
        removed.set()
        time.sleep(0.4)  # the page is waiting by now
        return record(*args, **details)

    monkeypatch.setattr(excluded_fields, "record", slowly)
    run_in_threads(
        lambda: excluded_fields.exclude(BY_NAME["notes"], by=OPS),
        lambda: write(guard, before=lambda: removed.wait(5), after=lambda: None),
    )
    _assert_nothing_is_left()


def _assert_nothing_is_left() -> None:
    ((payload, changes),) = run_in_threads(stored)
    assert payload["first_name"] == "Adele"
    assert "notes" not in payload
    assert changes == {"first_name"}
