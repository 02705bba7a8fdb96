"""What the budget of a key's requests does to turns, launches and clinics that share a key."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection as database
from django.utils import timezone
from pytest_django import Settings

from audit.log import OPS
from sandbox.cliniko.app import create_app
from sandbox.cliniko.app_state import store_of
from sandbox.cliniko.clock import parse_time
from sandbox.cliniko.faults.kinds import Fault
from sync.cliniko.client import ApiKey, Cliniko
from sync.cliniko.errors import BudgetSpent, RateLimited
from sync.connection import connect
from sync.connection import state as connection_state
from sync.connection.rate_limit import share_for
from sync.connection.sealing import fingerprint
from sync.read.status import IMPORTING, current
from sync.refresh import Outcome, refresh_patient
from sync.walk import run as walk_run
from sync.walk.schedule import mark_all_due
from tenants.context import clinic_context
from tenants.models import Clinic, KeyBudget
from tests.cliniko_sandbox import Sandbox
from tests.sync.in_process import API_URL, InProcess, prefetch_inline
from tests.tenants.backdating import advance_clock

Connect = Callable[[str], Sandbox]
KEY = "MS0xLWNhbmFyeS1zZWNyZXQ"
KEYS = ["one of our keys, long enough to be taken for a key"]


def turn(label: str = "bondi") -> walk_run.SliceOutcome:
    with clinic_context(label):
        return walk_run.run_slice(seconds=60, pages=1000)


def state(label: str = "bondi") -> str:
    with clinic_context(label):
        return current().state


def use_up(sandbox: Sandbox, label: str = "bondi") -> None:
    """Leave nothing of this minute to anybody."""
    share = share_for(ApiKey(sandbox.store.key(label)), "launches")
    now = timezone.now()
    KeyBudget.objects.filter(fingerprint=share.fingerprint).update(background=[now] * 20, launches=[now] * 180)


@pytest.fixture
def modest(connected: Connect, settings: Settings) -> Sandbox:
    """Bondi is connected and synced, and may make as many requests as Cliniko really allows."""
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    sandbox.sync("bondi")
    settings.CLINIKO_REQUESTS_PER_MINUTE = 200
    return sandbox


# --- The fingerprint ---


@pytest.mark.parametrize("suffix", ["-au1", "-uk2"])
def test_a_key_has_one_fingerprint_with_and_without_its_shard(suffix: str) -> None:
    assert fingerprint(ApiKey(KEY + suffix), keys=KEYS) == fingerprint(ApiKey(KEY), keys=KEYS)


def test_different_keys_and_different_environments_have_different_fingerprints() -> None:
    one = fingerprint(ApiKey(KEY), keys=KEYS)
    assert one != fingerprint(ApiKey(KEY + "x"), keys=KEYS)
    assert one != fingerprint(ApiKey(KEY), keys=["another of our keys, just as long as that"])


def test_a_fingerprint_tells_nothing_of_the_key() -> None:
    found = fingerprint(ApiKey(KEY), keys=KEYS)
    assert len(found) == 32
    for digest in ("md5", "sha1", "sha256", "sha512"):
        assert found not in hashlib.new(digest, KEY.encode()).hexdigest()


def test_the_key_is_nowhere_in_what_is_counted(modest: Sandbox) -> None:
    key = ApiKey(modest.store.key("bondi"))
    with database.cursor() as cursor:
        cursor.execute("SELECT string_agg(each::text, ' ') FROM public.tenants_keybudget each")
        held = cursor.fetchone()[0]
    assert fingerprint(key, keys=configured.SEALING_KEYS) in held
    assert all(key.body[start : start + 6] not in held for start in range(0, len(key.body), 6))


# --- Turns and launches ---


def test_a_turn_that_spent_its_share_goes_on_later_and_leaves_the_state_as_it_was(modest: Sandbox) -> None:
    use_up(modest)
    with clinic_context("bondi"):
        mark_all_due()
        before = connection_state.load()
    asked = modest.store.count_requests()
    ended = turn()
    assert ended.has_more
    assert ended.resume_at is not None
    assert timedelta(seconds=50) < ended.resume_at - timezone.now() < timedelta(seconds=61)
    assert modest.store.count_requests() == asked
    assert state() == "ok"
    with clinic_context("bondi"):
        after = connection_state.load()
    assert (after.resume_at, after.failures, after.state_since) == (None, 0, before.state_since)


def test_an_import_that_spent_its_share_is_still_importing(connected: Connect, settings: Settings) -> None:
    sandbox = connected("bondi")
    settings.CLINIKO_REQUESTS_PER_MINUTE = 200
    use_up(sandbox)
    assert turn().has_more
    assert state() == IMPORTING
    advance_clock(61)
    assert turn() == walk_run.SliceOutcome()
    assert state() == "ok"


def test_a_refusal_of_clinikos_is_told_as_its_limit(modest: Sandbox) -> None:
    modest.store.inject_fault("bondi", Fault.TOO_MANY, seconds=30)
    with clinic_context("bondi"):
        mark_all_due()
    ended = turn()
    assert not ended.has_more
    assert ended.resume_at is not None
    assert state() == "rate_limited"


def test_a_launch_without_a_share_asks_nothing_and_holds_it_against_nobody(modest: Sandbox) -> None:
    use_up(modest)
    asked = modest.store.count_requests()
    with clinic_context("bondi"):
        assert refresh_patient("42") == Outcome.RATE_LIMITED
    assert modest.store.count_requests() == asked
    assert state() == "ok"


def test_launches_have_a_share_when_the_background_has_none(modest: Sandbox) -> None:
    share = share_for(ApiKey(modest.store.key("bondi")), "background")
    now = timezone.now()
    KeyBudget.objects.filter(fingerprint=share.fingerprint).update(background=[now] * 140, launches=[])
    with pytest.raises(BudgetSpent):
        share.spend()
    with clinic_context("bondi"):
        assert connection_state.requests_left() == 60
        assert refresh_patient("42") == Outcome.FRESH
        assert connection_state.requests_left() == 58


# --- One key at two clinics ---


@pytest.fixture
def sharing(modest: Sandbox, harbour: Clinic) -> Sandbox:
    """Harbour has bondi's key."""
    with clinic_context("harbour"):
        connect.connect(ApiKey(modest.store.key("bondi")), by=OPS)
    return modest


def test_clinics_with_the_same_key_have_one_budget(sharing: Sandbox) -> None:
    with clinic_context("bondi"):
        left = connection_state.requests_left()
    turn("harbour")
    with clinic_context("bondi"):
        after = connection_state.requests_left()
    assert left is not None
    assert after is not None
    assert after < left


def test_clinics_with_keys_of_their_own_do_not_wait_for_each_other(modest: Sandbox, connected: Connect) -> None:
    connected("harbour")
    use_up(modest)
    assert turn("harbour") == walk_run.SliceOutcome()


def test_when_cliniko_refuses_the_key_at_one_clinic_the_other_asks_nothing(sharing: Sandbox) -> None:
    sharing.store.inject_fault("bondi", Fault.TOO_MANY, seconds=30)
    with clinic_context("bondi"), pytest.raises(RateLimited) as limit:
        walk_run.run_sync()
    assert not isinstance(limit.value, BudgetSpent)
    asked = sharing.store.count_requests()
    assert turn("harbour") == walk_run.SliceOutcome(has_more=True, resume_at=limit.value.until)
    with clinic_context("harbour"):
        assert refresh_patient("42") == Outcome.RATE_LIMITED
    assert sharing.store.count_requests() == asked
    advance_clock(31)
    assert turn("harbour") == walk_run.SliceOutcome()


# --- A whole import ---


class Clock:
    """Cliniko's. A request takes a tenth of a second of it."""

    ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_by(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)
        advance_clock(seconds)


class Slow(InProcess):
    def send(self, *sent: Any, **words: Any) -> Any:
        answer = super().send(*sent, **words)
        clock: Clock = self.app.extensions["cliniko_store"].now
        clock.pass_by(0.1)
        return answer


def test_an_import_at_full_speed_never_meets_clinikos_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings, bondi: Clinic
) -> None:
    clock = Clock()
    app = create_app(tmp_path / "cliniko.sqlite3", requests_per_minute=200, now=clock)
    store, transport = store_of(app), Slow(app)
    key = store.add_account("bondi", patients=60)
    monkeypatch.setattr("requests.Session.get_adapter", lambda *_, **__: transport)
    monkeypatch.setattr("sync.cliniko.client.PER_PAGE", 3)
    monkeypatch.setattr(Cliniko, "prefetch", prefetch_inline)
    settings.CLINIKO_API_URL = API_URL
    with clinic_context("bondi"):
        connect.connect(ApiKey(key), by=OPS)
        launches = store.count_requests()
    while (ended := turn()).has_more:
        assert ended.resume_at is not None
        clock.pass_by(max(0.0, (ended.resume_at - timezone.now()).total_seconds()))
    asked = store.requests("bondi")
    assert len(asked) > 300
    assert {each.status for each in asked} <= {200, 404}
    times = [parse_time(each.at) for each in asked[launches:]]
    minute = timedelta(seconds=59)  # the log tells whole seconds
    assert max(sum(at <= each <= at + minute for each in times) for at in times) <= 140
