"""Changes of a clinic's Cliniko settings are copied within a day."""

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
    """`answers(page)`: Cliniko's settings of every account from now on. Returns a list with an item per request."""

    def answer(page: object) -> list[str]:
        requests: list[str] = []

        def settings(client: Cliniko) -> object:
            requests.append("settings")
            if isinstance(page, Exception):
                raise page
            return page

        monkeypatch.setattr(Cliniko, "settings", settings)
        return requests

    return answer


def a_day_later(label: str) -> None:
    with clinic_context(label):
        day_before = timezone.now() - account.CHECK_INTERVAL - timedelta(minutes=1)
        Connection.objects.update(connected_at=day_before, account_checked_at=day_before)


def saved_settings(label: str) -> tuple[str, str, str, str, str]:
    with clinic_context(label):
        saved = connection_state.load()
    name = Clinic.objects.get(label=label).name
    return name, saved.account_name, saved.account_subdomain, saved.time_zone, saved.patient_word


def test_account_settings_are_copied_once_a_day(connected: Connect, answers: Answers) -> None:
    sandbox = connected("bondi")
    connected("harbour")
    before = saved_settings("harbour")
    requests = answers(NEW)
    sandbox.sync("bondi")
    assert requests == []
    a_day_later("bondi")
    for _ in range(3):
        sandbox.sync("bondi")
        sandbox.sync("harbour")
    assert requests == ["settings"]
    assert saved_settings("bondi") == ("Bondi Sports", "Bondi Sports", "bondi-sports", "Australia/Perth", "athlete")
    assert saved_settings("harbour") == before


@pytest.mark.parametrize("page", [{}, {"account": {"time_zone": "Atlantis", "subdomain": "no label"}}, {"account": 7}])
def test_missing_settings_keep_their_values(connected: Connect, answers: Answers, page: dict[str, object]) -> None:
    sandbox = connected("harbour")
    before = saved_settings("harbour")
    assert before[-2:] == ("Pacific/Auckland", "client")
    answers(page)
    a_day_later("harbour")
    sandbox.sync("harbour")
    assert saved_settings("harbour") == before


@pytest.mark.parametrize("failure", [KeyForbidden("403"), ServerError("500")])
def test_refused_settings_do_not_delay_the_sync(connected: Connect, answers: Answers, failure: ClinikoError) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    requests = answers(failure)
    a_day_later("bondi")
    sandbox.sync("bondi")
    sandbox.sync("bondi")
    assert sandbox.mirrored_names("bondi") == {"42": "Ada"}
    assert requests == ["settings"]
    with clinic_context("bondi"):
        assert connection_state.load().state == Connection.State.OK


def test_settings_timeout_stops_one_slice_a_day(connected: Connect, answers: Answers) -> None:
    sandbox = connected("bondi")
    answers(Unreachable("A time-out."))
    a_day_later("bondi")
    with clinic_context("bondi"):
        with pytest.raises(Unreachable):
            walk_run.run_sync()
        assert walk_run.run_sync()
    assert sandbox.mirrored_names("bondi") == {}


def test_settings_of_the_former_key_do_not_overwrite_the_new_account(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = connected("bondi")
    a_day_later("bondi")
    answered: list[object] = []
    settings = Cliniko.settings

    def settings_then_new_key(client: Cliniko) -> object:
        page = settings(client)
        if not answered:
            answered.append(page)
            connect.connect(ApiKey(sandbox.store.key("harbour")), by=OPS, confirm_other_account=True)
        return page

    monkeypatch.setattr(Cliniko, "settings", settings_then_new_key)
    with clinic_context("bondi"):
        client = connection_state.open_client()
        account.refresh_account(client, connection_state.load())
        client.close()
    assert saved_settings("bondi")[:2] == ("Harbour Osteopathy", "Harbour Osteopathy")
