"""An account with the older API version."""

import sqlite3
from itertools import product

import pytest

from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.store import Store

LISTS = ("patients", "medical_alerts", "individual_appointments", "group_appointments", "attendees", "businesses")


@pytest.fixture
def older(store, bondi):
    store.set_api("bondi", older=True)
    return bondi


def test_archived_at_and_cancelled_at_are_not_filterable(older):
    for resource, field in product(LISTS, ("archived_at", "cancelled_at")):
        response = older.get(f"/{resource}?q[]=updated_at:>=2020-01-01T00:00:00Z&q[]={field}:*")
        assert response.status_code == 400, (resource, field)
        assert response.get_json() == {"message": f"{field} is not filterable"}


def test_archived_and_cancelled_records_have_lists_of_their_own(older, store):
    ada, bo = (store.add_patient("bondi", first_name=name) for name in ("Ada", "Bo"))
    appointment = store.add_appointment("bondi", bo, "2026-03-09T01:00:00Z")
    attendee = store.add_attendee("bondi", store.add_class("bondi", "2026-03-09T01:00:00Z"), bo)
    store.archive("bondi", ada)
    store.cancel_appointment("bondi", appointment)
    store.cancel_attendee("bondi", attendee)
    assert older.ids("/patients") == [bo]
    assert older.ids("/patients/archived") == [ada]
    for path, id in (("/individual_appointments", appointment), ("/attendees", attendee)):
        assert older.ids(path) == []
        assert older.ids(f"{path}/cancelled") == [id]


def test_a_deleted_patient_is_listed_without_an_id(older, store):
    store.delete("bondi", store.add_patient("bondi", id=42))
    (deleted,) = older.json("/patients/deleted")["patients"]
    assert deleted.keys() == {"deleted_at", "links"}


def test_other_filters_and_accounts_are_unchanged(older, harbour):
    assert older.get("/patients?q[]=updated_at:>=2020-01-01T00:00:00Z&sort=id").status_code == 200
    assert harbour.get("/patients?q[]=archived_at:*").status_code == 200


def test_the_api_version_survives_a_restart_and_can_be_reset(older, store, clock):
    other = Store(store.path, now=clock)
    assert {each.name: each.older for each in other.accounts()} == {"bondi": True, "harbour": False}
    other.set_api("bondi", older=False)
    other.close()
    assert older.get("/patients?q[]=archived_at:*").status_code == 200


def test_the_api_version_needs_an_existing_account(store):
    with pytest.raises(SandboxError):
        store.set_api("nobody", older=True)


def test_a_database_of_an_earlier_version_opens(store, clock, tmp_path):
    path = tmp_path / "earlier.sqlite3"
    with sqlite3.connect(path) as old:
        columns = "name TEXT PRIMARY KEY, shard TEXT NOT NULL, settings TEXT NOT NULL, requests_per_minute INTEGER"
        old.execute(f"CREATE TABLE accounts ({columns})")
        old.execute("INSERT INTO accounts VALUES ('bondi', 'au1', '{}', 90)")
    old.close()
    for _ in range(2):
        opened = Store(path, now=clock)
        (account,) = opened.accounts()
        assert (account.requests_per_minute, account.older) == (90, False)
        opened.set_api("bondi", older=False)
        opened.close()
