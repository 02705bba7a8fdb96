"""What a clinic changes in its Cliniko settings arrives within a day, by itself."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.log import OPS
from sync.cliniko.client import ApiKey, Cliniko
from sync.cliniko.errors import ClinikoError, KeyForbidden, ServerError, Unreachable
from sync.connection import account, connect
from sync.connection import state as connection_state
from sync.models import Connection
from sync.walk import run as walk_run
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox

Connect = Callable[[str], Sandbox]
Answers = Callable[..., list[str]]
NEW = {"account": {"name": "Bondi Sports", "subdomain": "bondi-sports", "time_zone": "Perth"}}
NEW |= {"terminology": {"patient": "Athlete"}}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """`answers(page)`: what Cliniko says of every account from now on; the list tells how often it was asked."""

    def answer(page: object) -> list[str]:
        asked: list[str] = []

        def settings(client: Cliniko) -> object:
            asked.append("settings")
            if isinstance(page, Exception):
                raise page
            return page

        monkeypatch.setattr(Cliniko, "settings", settings)
        return asked

    return answer


def a_day_later(label: str) -> None:
    with clinic_context(label):
        day_before = timezone.now() - account.CHECK_INTERVAL - timedelta(minutes=1)
        Connection.objects.update(connected_at=day_before, account_checked_at=day_before)


def told(label: str) -> tuple[str, str, str, str, str]:
    with clinic_context(label):
        held = connection_state.load()
    clinic = Clinic.objects.get(label=label)
    return clinic.name, held.account_name, held.account_subdomain, held.time_zone, held.patient_word


def test_a_day_after_the_key_name_clock_and_words_are_taken_over(connected: Connect, answers: Answers) -> None:
    sandbox = connected("bondi")
    connected("harbour")
    before = told("harbour")
    asked = answers(NEW)
    sandbox.sync("bondi")
    assert asked == []
    a_day_later("bondi")
    for _ in range(3):
        sandbox.sync("bondi")
        sandbox.sync("harbour")
    assert asked == ["settings"]
    assert told("bondi") == ("Bondi Sports", "Bondi Sports", "bondi-sports", "Australia/Perth", "athlete")
    assert told("harbour") == before


@pytest.mark.parametrize("page", [{}, {"account": {"time_zone": "Atlantis", "subdomain": "no label"}}, {"account": 7}])
def test_what_is_not_said_any_more_stays(connected: Connect, answers: Answers, page: dict[str, object]) -> None:
    sandbox = connected("harbour")
    before = told("harbour")
    assert before[-2:] == ("Pacific/Auckland", "client")
    answers(page)
    a_day_later("harbour")
    sandbox.sync("harbour")
    assert told("harbour") == before


@pytest.mark.parametrize("failure", [KeyForbidden("403"), ServerError("500")])
def test_an_account_that_does_not_tell_holds_up_nothing(
    connected: Connect, answers: Answers, failure: ClinikoError
) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    asked = answers(failure)
    a_day_later("bondi")
    sandbox.sync("bondi")
    sandbox.sync("bondi")
    assert sandbox.mirrored_names("bondi") == {"42": "Ada"}
    assert asked == ["settings"]
    with clinic_context("bondi"):
        assert connection_state.load().state == Connection.State.OK


def test_an_answer_that_never_comes_holds_up_one_turn_a_day(connected: Connect, answers: Answers) -> None:
    sandbox = connected("bondi")
    answers(Unreachable("A time-out."))
    a_day_later("bondi")
    with clinic_context("bondi"):
        with pytest.raises(Unreachable):
            walk_run.run_sync()
        assert walk_run.run_sync()
    assert sandbox.mirrored_names("bondi") == {}


def test_what_the_former_key_was_told_is_not_written_over_the_new_accounts(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = connected("bondi")
    a_day_later("bondi")
    held: list[object] = []
    settings = Cliniko.settings

    def overtaken(client: Cliniko) -> object:
        page = settings(client)
        if not held:
            held.append(page)
            connect.connect(ApiKey(sandbox.store.key("harbour")), by=OPS, confirm_other_account=True)
        return page

    monkeypatch.setattr(Cliniko, "settings", overtaken)
    with clinic_context("bondi"):
        client = connection_state.open_client()
        account.refresh_account(client, connection_state.load())
        client.close()
    assert told("bondi")[:2] == ("Harbour Osteopathy", "Harbour Osteopathy")
