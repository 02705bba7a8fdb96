"""The key's state is separate from the connection's: neither a pause nor an outage hides a refusal."""

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


def test_refused_key_is_visible_during_a_pause_and_does_not_end_it(connected: Connect) -> None:
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
    ("failure", "key_state"),
    [(KeyInvalid("401"), "invalid"), (KeyForbidden("403"), "forbidden"), (Unreachable("A time-out."), "ok")],
)
def test_key_state_survives_an_outage_and_is_cleared_by_a_success(
    connected: Connect, failure: ClinikoError, key_state: str
) -> None:
    connected("bondi")
    with clinic_context("bondi"):
        for each in (failure, Unreachable("502"), BudgetSpent(timezone.now())):
            connection_state.record_failure(each, connection_state.load())
            assert connection_state.load().key_state == key_state
        connection_state.record_success(connection_state.load())
        assert connection_state.load().key_state == "ok"
    assert Clinic.objects.get(label="bondi").key_state == "ok"


def raising(failure: ClinikoError) -> Callable[[], Page]:
    def fail() -> Page:
        raise failure

    return fail


@pytest.mark.parametrize("failure", [BudgetSpent(datetime(2100, 1, 1, tzinfo=UTC)), Unreachable("A time-out.")])
def test_key_that_returned_records_is_ok_whatever_fails_afterwards(
    connected: Connect, answering: Answering, failure: ClinikoError
) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    answering(ALERTS.name, raising(failure))
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="invalid")
        with pytest.raises(type(failure)):
            walk_run.run_sync(everything=False)
        assert Patient.objects.exists()
        assert connection_state.load().key_state == "ok"
    assert Clinic.objects.get(label="bondi").key_state == "ok"


def test_owners_are_notified_once_of_a_key_that_is_refused_again_after_some_answers(
    connected: Connect, answering: Answering
) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    answering(ALERTS.name, raising(KeyInvalid("401")))
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="invalid", owners_notified_at=timezone.now())
        with pytest.raises(KeyInvalid):
            walk_run.run_sync(everything=False)
        connection = connection_state.load()
        assert connection.key_state == "invalid"
        assert connection.owners_notified_at


def test_refusal_takes_precedence_over_an_earlier_answer(connected: Connect) -> None:
    connected("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(state="unreachable", key_state="invalid")
        connection = connection_state.load()
        connection_state.record_failure(KeyInvalid("401"), connection)
        connection_state.record_key_accepted(connection)
        assert (connection_state.load().state, connection_state.load().key_state) == ("key_invalid", "invalid")


def test_answered_launch_marks_the_key_as_ok(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    with clinic_context("bondi"):
        Connection.objects.update(state="unreachable", key_state="invalid")
        assert refresh_patient("42") == Outcome.FRESH
        assert connection_state.load().key_state == "ok"
    assert Clinic.objects.get(label="bondi").key_state == "ok"


def test_refusal_counts_even_if_the_key_was_loaded_as_refused(connected: Connect) -> None:
    connected("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(key_state="invalid")
        connection = connection_state.load()
        connection_state.record_success(connection_state.load())
        connection_state.record_failure(KeyInvalid("401"), connection)
        assert (connection_state.load().state, connection_state.load().key_state) == ("key_invalid", "invalid")


def test_refusal_of_the_former_key_does_not_affect_the_new_one(connected: Connect) -> None:
    sandbox = connected("bondi")
    with clinic_context("bondi"):
        former = connection_state.load()
        connect.connect(ApiKey(sandbox.store.issue_key("bondi")), by=OPS)
        connection_state.record_failure(KeyInvalid("401"), former)
        assert (connection_state.load().state, connection_state.load().key_state) == ("ok", "ok")
    assert Clinic.objects.get(label="bondi").key_state == "ok"


def test_half_cleared_refusal_is_retried(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="ok")  # left by a process that was killed in between
        assert not walk_run.run_slice(seconds=60, pages=60).blocked
        connection = connection_state.load()
        assert (connection.state, connection.key_state) == ("ok", "ok")
    assert sandbox.mirrored_names("bondi") == {"42": "Ada"}
