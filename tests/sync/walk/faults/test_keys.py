"""Keys that stop working, rights that go and come, and the older API: what can be read is equal, and goes on."""

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
from tests.sync.walk.faults.scenario import MOVING, Cast, number
from tests.sync.walk.faults.test_moving_lists import (
    ROUNDS,
    Change,
    Staff,
    archive,
    cancel_and_come_back,
    delete_untouched,
)

LISTS = ("practitioners", "medical_alerts", "attendees")


@pytest.mark.parametrize("nth", [1, 2])
def test_a_key_revoked_in_the_middle_of_an_import_and_a_new_one_goes_on_where_it_was(cast: Cast, nth: int) -> None:
    cast.mirrored(without="patients")
    cast.only("patients")
    before, seen = cast.store.count_requests(), []

    def revoke(path: str) -> None:
        seen.append(path)
        if seen.count("patients") == nth:
            cast.store.revoke_key(cast.store.key("bondi"))

    cast.after_answer.append(revoke)
    with clinic_context("bondi"):
        with pytest.raises(KeyInvalid):
            walk_run.run_sync(everything=False)
        cast.after_answer.clear()
        asked = cast.store.count_requests()
        assert walk_run.run_slice(seconds=5, pages=50).blocked
        assert cast.store.count_requests() == asked
        assert connection_state.load().state == Connection.State.KEY_INVALID
        connect.connect(ApiKey(cast.store.issue_key("bondi")), by=OPS)
        assert walk_run.run_sync(everything=False)
    requests = cast.store.requests("bondi")[before:]
    walked = [
        each.path for each in requests if each.status == 200 and "/patients?" in each.path and "id%3A%3E" in each.path
    ]
    assert len(walked) == len(set(walked)) == 3, "each page was read once"
    cast.check()


@pytest.mark.parametrize("resource", LISTS)
def test_a_list_that_may_not_be_read_leaves_the_rest_equal_and_is_caught_up_with_later(
    cast: Cast, resource: str
) -> None:
    key = cast.store.key("bondi")
    cast.store.forbid(key, resource)
    cast.sync("bondi")
    cast.check(without=(resource,))
    cast.store.forbid(key)
    cast.edit_everything()
    with clinic_context("bondi"):
        mark_all_due()
    cast.persist()
    cast.check()


def test_rights_that_go_for_a_while_cost_nothing_that_changed_meanwhile(cast: Cast) -> None:
    cast.mirrored()
    key = cast.store.key("bondi")
    cast.store.forbid(key, *MOVING[1:])
    cast.edit_everything()
    cast.store.delete("bondi", number(4), resource="medical_alerts", touch=False)
    cast.sync("bondi")
    cast.check(without=MOVING[1:])
    cast.store.forbid(key)
    cast.sync("bondi")
    cast.check()


def test_the_older_api_is_mirrored_whole(cast: Cast) -> None:
    cast.store.set_api("bondi", older=True)
    cast.sync("bondi")
    cast.check()
    with clinic_context("bondi"):
        assert not Cursor.objects.get(resource="patients").asks_hidden


@pytest.mark.parametrize(
    "change", [archive, cancel_and_come_back, delete_untouched], ids=lambda change: str(change.__name__)
)
def test_changes_between_the_answers_of_the_older_api_reach_the_mirror(cast: Cast, change: Change) -> None:
    cast.mirrored()
    cast.store.set_api("bondi", older=True)
    cast.edit_everything()
    cast.after_answer.append(Staff(cast, change))
    cast.sync("bondi")
    cast.after_answer.clear()
    cast.sync("bondi")
    cast.check()


def test_records_archived_cancelled_and_deleted_under_the_older_api_reach_the_mirror(cast: Cast) -> None:
    cast.store.set_api("bondi", older=True)
    cast.sync("bondi")
    for seen, unseen in ROUNDS:
        for resource in MOVING:
            archive(cast, resource, seen)
            cancel_and_come_back(cast, resource, unseen)
    cast.store.delete("bondi", number(6), resource="attendees", touch=False)
    cast.sync("bondi")
    cast.check()
    cast.compare()
    cast.check()


def test_an_api_that_changes_its_mind_in_the_middle_of_an_import_and_back_later_ends_equal(cast: Cast) -> None:
    seen: list[str] = []

    def change_its_mind(path: str) -> None:
        seen.append(path)
        if path in MOVING and seen.count(path) == 2:
            cast.store.set_api("bondi", older=MOVING.index(path) % 2 == 0)

    cast.after_answer.append(change_its_mind)
    cast.sync("bondi")
    cast.after_answer.clear()
    cast.store.set_api("bondi", older=False)
    cast.store.archive("bondi", number(5))
    cast.sync("bondi")
    cast.check()
