"""What Cliniko says of a key is kept apart from what else hinders: neither a pause nor an outage hides a refusal."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from audit.log import OPS
from sync.cliniko.client import ApiKey, Page
from sync.cliniko.errors import BudgetSpent, ClinikoError, KeyForbidden, KeyInvalid, Unreachable
from sync.connection import connect
from sync.connection import state as connection_state
from sync.models import Connection, Patient
from sync.read.status import current
from sync.refresh import Outcome, refresh_patient
from sync.resources import ALERTS
from sync.walk import run as walk_run
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox

Connect = Callable[[str], Sandbox]
Answering = Callable[[str, Callable[[], Page]], None]


def test_a_refused_key_does_not_end_a_pause_and_is_not_hidden_by_it(connected: Connect) -> None:
    sandbox = connected("bondi")
    connected("harbour")
    sandbox.store.revoke_key(sandbox.store.key("bondi"))
    with clinic_context("bondi"):
        Connection.objects.update(state=Connection.State.PAUSED)
        assert refresh_patient("42") == Outcome.KEY_INVALID
        assert connection_state.load().state == Connection.State.PAUSED
        assert "paused" in current().sentence
        assert "doesn't accept the API key" in current().sentence
    assert dict(Clinic.objects.values_list("label", "key_state")) == {"bondi": "invalid", "harbour": "ok"}


@pytest.mark.parametrize(
    ("said", "key_state"),
    [(KeyInvalid("401"), "invalid"), (KeyForbidden("403"), "forbidden"), (Unreachable("A time-out."), "ok")],
)
def test_what_cliniko_says_of_the_key_outlasts_an_outage_and_ends_with_an_answer(
    connected: Connect, said: ClinikoError, key_state: str
) -> None:
    connected("bondi")
    with clinic_context("bondi"):
        for failure in (said, Unreachable("502"), BudgetSpent(timezone.now())):
            connection_state.record_failure(failure, connection_state.load())
            assert connection_state.load().key_state == key_state
        connection_state.record_success(connection_state.load())
        assert connection_state.load().key_state == "ok"
    assert Clinic.objects.get(label="bondi").key_state == "ok"


def raising(failure: ClinikoError) -> Callable[[], Page]:
    def fail() -> Page:
        raise failure

    return fail


@pytest.mark.parametrize("hindrance", [BudgetSpent(datetime(2100, 1, 1, tzinfo=UTC)), Unreachable("A time-out.")])
def test_a_key_that_gave_something_is_no_longer_refused_whatever_hinders_then(
    connected: Connect, answering: Answering, hindrance: ClinikoError
) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    answering(ALERTS.name, raising(hindrance))
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="invalid")
        with pytest.raises(type(hindrance)):
            walk_run.run_sync(everything=False)
        assert Patient.objects.exists()
        assert connection_state.load().key_state == "ok"
    assert Clinic.objects.get(label="bondi").key_state == "ok"


def test_a_key_that_is_refused_again_after_some_answers_is_told_of_once(
    connected: Connect, answering: Answering
) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    answering(ALERTS.name, raising(KeyInvalid("401")))
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="invalid", owners_notified_at=timezone.now())
        with pytest.raises(KeyInvalid):
            walk_run.run_sync(everything=False)
        held = connection_state.load()
        assert held.key_state == "invalid"
        assert held.owners_notified_at


def test_an_answer_from_before_a_refusal_does_not_outlive_it(connected: Connect) -> None:
    connected("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(state="unreachable", key_state="invalid")
        held = connection_state.load()
        connection_state.record_failure(KeyInvalid("401"), held)
        connection_state.record_key_accepted(held)
        assert (connection_state.load().state, connection_state.load().key_state) == ("key_invalid", "invalid")


def test_a_launch_that_is_answered_says_that_the_key_is_taken_again(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    with clinic_context("bondi"):
        Connection.objects.update(state="unreachable", key_state="invalid")
        assert refresh_patient("42") == Outcome.FRESH
        assert connection_state.load().key_state == "ok"
    assert Clinic.objects.get(label="bondi").key_state == "ok"


def test_a_refusal_counts_also_when_the_key_was_thought_to_be_refused_before(connected: Connect) -> None:
    connected("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(key_state="invalid")
        held = connection_state.load()
        connection_state.record_success(connection_state.load())
        connection_state.record_failure(KeyInvalid("401"), held)
        assert (connection_state.load().state, connection_state.load().key_state) == ("key_invalid", "invalid")


def test_what_cliniko_says_of_a_former_key_is_not_held_against_the_new_one(connected: Connect) -> None:
    sandbox = connected("bondi")
    with clinic_context("bondi"):
        former = connection_state.load()
        connect.connect(ApiKey(sandbox.store.issue_key("bondi")), by=OPS)
        connection_state.record_failure(KeyInvalid("401"), former)
        assert connection_state.load().key_state == "ok"
    assert Clinic.objects.get(label="bondi").key_state == "ok"


def test_a_refusal_that_was_taken_back_halfway_is_asked_about_again(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="ok")  # as a process that was killed in between leaves
        assert not walk_run.run_slice(seconds=60, pages=60).blocked
        held = connection_state.load()
        assert (held.state, held.key_state) == ("ok", "ok")
    assert sandbox.mirrored_names("bondi") == {"42": "Ada"}
