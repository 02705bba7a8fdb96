"""The file behind it all: it survives a restart, and threads and processes may share it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.store import Store


def test_edits_keys_and_apps_survive_a_restart(store, clock):
    id = store.add_patient("bondi", first_name="Ada")
    store.edit("bondi", "patients", id, first_name="Adaeze")
    key = store.issue_key("bondi")
    store.close()
    again = Store(store.path, now=clock)
    assert again.all("bondi", "patients")[0].body["first_name"] == "Adaeze"
    assert again.key("bondi") == key
    again.close()


def test_what_one_process_writes_another_reads(store, clock):
    other = Store(store.path, now=clock)
    id = other.add_patient("bondi", first_name="Ada")
    assert [str(each.id) for each in store.all("bondi", "patients")] == [id]
    other.close()


def test_threads_write_at_once_and_lose_nothing(store):
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda number: store.add_patient("bondi", first_name=str(number)), range(60)))
    assert len(set(ids)) == 60
    assert len(store.all("bondi", "patients")) == 60


def test_a_failed_write_leaves_nothing_behind(store, monkeypatch):
    with pytest.raises(SandboxError):
        store.add_account("bondi")
    with pytest.raises(SandboxError):
        store.edit("bondi", "patients", 1, first_name="Nobody")
    assert store.all("bondi", "patients") == []


@pytest.mark.parametrize("name", ["api", "static"])
def test_an_account_cannot_take_an_address_of_ours(store, name):
    with pytest.raises(SandboxError):
        store.add_account(name)


def test_an_id_is_given_once_in_an_account(store):
    store.add_patient("bondi", id=42)
    store.add_patient("harbour", id=42)
    with pytest.raises(SandboxError, match="already"):
        store.add_patient("bondi", id=42)


def test_new_ids_follow_the_seeded_ones_even_after_one_was_given_by_hand(store):
    store.add_patient("bondi", id=9223372036854775807)
    first, second = (int(store.add_patient("bondi")) for _ in range(2))
    assert 1713650742029190001 <= first < second < 9 * 10**18
