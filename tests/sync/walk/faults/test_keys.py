"""Revoked keys, changing permissions and the older API: what can be read is mirrored."""

import pytest

from audit.log import OPS
from sync.cliniko.client import ApiKey
from sync.cliniko.errors import KeyInvalid
from sync.connection import connect
from sync.connection import state as connection_state
from sync.models import Connection, Cursor
from sync.walk import run as walk_run
from sync.walk.schedule import mark_all_due
from tenants.context import clinic_context
from tests.sync.walk.faults.scenario import CHANGING, Scenario, id_at
from tests.sync.walk.faults.test_moving_lists import (
    ROUNDS,
    Change,
    Staff,
    archive,
    cancel_and_restore,
    delete_untouched,
)

LISTS = ("practitioners", "medical_alerts", "attendees")


@pytest.mark.parametrize("nth", [1, 2])
def test_import_resumes_with_a_new_key_after_the_key_is_revoked(scenario: Scenario, nth: int) -> None:
    scenario.mark_imported(without="patients")
    scenario.only("patients")
    before, seen = scenario.store.count_requests(), []

    def revoke(path: str) -> None:
        seen.append(path)
        if seen.count("patients") == nth:
            scenario.store.revoke_key(scenario.store.key("bondi"))

    scenario.on_response.append(revoke)
    with clinic_context("bondi"):
        with pytest.raises(KeyInvalid):
            walk_run.run_sync(everything=False)
        scenario.on_response.clear()
        count = scenario.store.count_requests()
        assert walk_run.run_slice(seconds=5, pages=50).blocked
        assert scenario.store.count_requests() == count
        assert connection_state.load().state == Connection.State.KEY_INVALID
        connect.connect(ApiKey(scenario.store.issue_key("bondi")), by=OPS)
        assert walk_run.run_sync(everything=False)
    requests = scenario.store.requests("bondi")[before:]
    walked = [
        each.path for each in requests if each.status == 200 and "/patients?" in each.path and "id%3A%3E" in each.path
    ]
    assert len(walked) == len(set(walked)) == 3, "each page is read once"
    scenario.check()


@pytest.mark.parametrize("resource", LISTS)
def test_forbidden_list_does_not_affect_the_others_and_catches_up_later(scenario: Scenario, resource: str) -> None:
    key = scenario.store.key("bondi")
    scenario.store.forbid(key, resource)
    scenario.sync("bondi")
    scenario.check(without=(resource,))
    scenario.store.forbid(key)
    scenario.edit_everything()
    with clinic_context("bondi"):
        mark_all_due()
    scenario.sync_until_done()
    scenario.check()


def test_changes_made_while_lists_are_forbidden_are_found_later(scenario: Scenario) -> None:
    scenario.mark_imported()
    key = scenario.store.key("bondi")
    scenario.store.forbid(key, *CHANGING[1:])
    scenario.edit_everything()
    scenario.store.delete("bondi", id_at(4), resource="medical_alerts", touch=False)
    scenario.sync("bondi")
    scenario.check(without=CHANGING[1:])
    scenario.store.forbid(key)
    scenario.sync("bondi")
    scenario.check()


def test_older_api_is_mirrored_completely(scenario: Scenario) -> None:
    scenario.store.set_api("bondi", older=True)
    scenario.sync("bondi")
    scenario.check()
    with clinic_context("bondi"):
        assert not Cursor.objects.get(resource="patients").asks_hidden


@pytest.mark.parametrize(
    "change", [archive, cancel_and_restore, delete_untouched], ids=lambda change: str(change.__name__)
)
def test_changes_between_answers_of_the_older_api_reach_the_mirror(scenario: Scenario, change: Change) -> None:
    scenario.mark_imported()
    scenario.store.set_api("bondi", older=True)
    scenario.edit_everything()
    scenario.on_response.append(Staff(scenario, change))
    scenario.sync("bondi")
    scenario.on_response.clear()
    scenario.sync("bondi")
    scenario.check()


def test_archived_cancelled_and_deleted_records_of_the_older_api_reach_the_mirror(scenario: Scenario) -> None:
    scenario.store.set_api("bondi", older=True)
    scenario.sync("bondi")
    for seen, unseen in ROUNDS:
        for resource in CHANGING:
            archive(scenario, resource, seen)
            cancel_and_restore(scenario, resource, unseen)
    scenario.store.delete("bondi", id_at(6), resource="attendees", touch=False)
    scenario.sync("bondi")
    scenario.check()
    scenario.compare()
    scenario.check()


def test_mirror_is_equal_after_the_api_changes_version_during_an_import(scenario: Scenario) -> None:
    seen: list[str] = []

    def change_version(path: str) -> None:
        seen.append(path)
        if path in CHANGING and seen.count(path) == 2:
            scenario.store.set_api("bondi", older=CHANGING.index(path) % 2 == 0)

    scenario.on_response.append(change_version)
    scenario.sync("bondi")
    scenario.on_response.clear()
    scenario.store.set_api("bondi", older=False)
    scenario.store.archive("bondi", id_at(5))
    scenario.sync("bondi")
    scenario.check()
