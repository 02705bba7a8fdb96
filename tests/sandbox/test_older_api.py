"""An account whose API is the older one."""

import sqlite3

import pytest

from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.store import Store

LISTS = ("patients", "medical_alerts", "individual_appointments", "group_appointments", "attendees", "businesses")


@pytest.fixture
def older(store, bondi):
    store.set_api("bondi", older=True)
    return bondi


@pytest.mark.parametrize("field", ["archived_at", "cancelled_at"])
@pytest.mark.parametrize("resource", LISTS)
def test_nothing_filters_by_the_moments_of_its_life(older, resource, field):
    refused = older.get(f"/{resource}?q[]=updated_at:>=2020-01-01T00:00:00Z&q[]={field}:*")
    assert refused.status_code == 400
    assert refused.get_json() == {"message": f"{field} is not filterable"}


def test_what_is_archived_or_cancelled_is_still_left_out_and_has_its_address(older, store):
    ada, bo = (store.add_patient("bondi", first_name=name) for name in ("Ada", "Bo"))
    visit = store.add_appointment("bondi", bo, "2026-03-09T01:00:00Z")
    place = store.add_attendee("bondi", store.add_class("bondi", "2026-03-09T01:00:00Z"), bo)
    store.archive("bondi", ada)
    store.cancel_appointment("bondi", visit)
    store.cancel_attendee("bondi", place)
    assert older.ids("/patients") == [bo]
    assert older.ids("/patients/archived") == [ada]
    for path, id in (("/individual_appointments", visit), ("/attendees", place)):
        assert older.ids(path) == []
        assert older.ids(f"{path}/cancelled") == [id]


def test_a_deleted_patient_leaves_a_tombstone_without_an_id(older, store):
    store.delete("bondi", store.add_patient("bondi", id=42))
    (gone,) = older.json("/patients/deleted")["patients"]
    assert gone.keys() == {"deleted_at", "links"}


def test_other_filters_and_other_accounts_are_as_before(older, harbour):
    assert older.get("/patients?q[]=updated_at:>=2020-01-01T00:00:00Z&sort=id").status_code == 200
    assert harbour.get("/patients?q[]=archived_at:*").status_code == 200


def test_the_api_of_an_account_outlasts_a_restart_and_can_be_put_back(older, store, clock):
    again = Store(store.path, now=clock)
    assert {each.name: each.older for each in again.accounts()} == {"bondi": True, "harbour": False}
    again.set_api("bondi", older=False)
    again.close()
    assert older.get("/patients?q[]=archived_at:*").status_code == 200


def test_only_an_account_has_an_api(store):
    with pytest.raises(SandboxError):
        store.set_api("nobody", older=True)


def test_a_file_of_an_earlier_version_opens_and_keeps_its_accounts(store, clock, tmp_path):
    path = tmp_path / "earlier.sqlite3"
    with sqlite3.connect(path) as earlier:
        columns = "name TEXT PRIMARY KEY, shard TEXT NOT NULL, settings TEXT NOT NULL, requests_per_minute INTEGER"
        earlier.execute(f"CREATE TABLE accounts ({columns})")
        earlier.execute("INSERT INTO accounts VALUES ('bondi', 'au1', '{}', 90)")
    earlier.close()
    for _ in range(2):
        opened = Store(path, now=clock)
        (account,) = opened.accounts()
        assert (account.requests_per_minute, account.older) == (90, False)
        opened.set_api("bondi", older=False)
        opened.close()
