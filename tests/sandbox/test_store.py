"""The database file: it survives a restart, and threads and processes can share it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.store import Store


def test_edits_keys_and_apps_survive_a_restart(store, clock):
    id = store.add_patient("bondi", first_name="Ada")
    store.edit("bondi", "patients", id, first_name="Adaeze")
    key = store.issue_key("bondi")
    store.close()
    reopened = Store(store.path, now=clock)
    assert reopened.all("bondi", "patients")[0].body["first_name"] == "Adaeze"
    assert reopened.key("bondi") == key
    reopened.close()


def test_another_process_reads_the_same_records(store, clock):
    other = Store(store.path, now=clock)
    id = other.add_patient("bondi", first_name="Ada")
    assert [str(each.id) for each in store.all("bondi", "patients")] == [id]
    other.close()


def test_concurrent_writes_are_all_stored(store):
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda number: store.add_patient("bondi", first_name=str(number)), range(60)))
    assert len(set(ids)) == 60
    assert len(store.all("bondi", "patients")) == 60


def test_a_failed_write_stores_nothing(store, monkeypatch):
    with pytest.raises(SandboxError):
        store.add_account("bondi")
    with pytest.raises(SandboxError):
        store.edit("bondi", "patients", 1, first_name="Nobody")
    assert store.all("bondi", "patients") == []


@pytest.mark.parametrize("name", ["api", "static"])
def test_reserved_account_names_are_refused(store, name):
    with pytest.raises(SandboxError):
        store.add_account(name)


def test_ids_are_unique_within_an_account(store):
    store.add_patient("bondi", id=42)
    store.add_patient("harbour", id=42)
    with pytest.raises(SandboxError, match="already"):
        store.add_patient("bondi", id=42)


def test_generated_ids_ignore_large_ids_chosen_by_callers(store):
    store.add_patient("bondi", id=9223372036854775807)
    first, second = (int(store.add_patient("bondi")) for _ in range(2))
    assert 1713650742029190001 <= first < second < 9 * 10**18
