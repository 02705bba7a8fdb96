"""The rate limit of a key: slices, launches, and clinics that share a key."""

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


def run_slice(label: str = "bondi") -> walk_run.SliceOutcome:
    with clinic_context(label):
        return walk_run.run_slice(seconds=60, pages=1000)


def state(label: str = "bondi") -> str:
    with clinic_context(label):
        return current().state


def use_up(sandbox: Sandbox, label: str = "bondi") -> None:
    """Spend the key's whole budget for this minute."""
    share = share_for(ApiKey(sandbox.store.key(label)), "launches")
    now = timezone.now()
    KeyBudget.objects.filter(fingerprint=share.fingerprint).update(background=[now] * 20, launches=[now] * 180)


@pytest.fixture
def limited(connected: Connect, settings: Settings) -> Sandbox:
    """Bondi is connected and synced, with Cliniko's real rate limit."""
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    sandbox.sync("bondi")
    settings.CLINIKO_REQUESTS_PER_MINUTE = 200
    return sandbox


# --- The fingerprint ---


@pytest.mark.parametrize("suffix", ["-au1", "-uk2"])
def test_fingerprint_ignores_the_shard(suffix: str) -> None:
    assert fingerprint(ApiKey(KEY + suffix), keys=KEYS) == fingerprint(ApiKey(KEY), keys=KEYS)


def test_fingerprints_differ_between_keys_and_environments() -> None:
    one = fingerprint(ApiKey(KEY), keys=KEYS)
    assert one != fingerprint(ApiKey(KEY + "x"), keys=KEYS)
    assert one != fingerprint(ApiKey(KEY), keys=["another of our keys, just as long as that"])


def test_fingerprint_is_no_plain_hash_of_the_key() -> None:
    found = fingerprint(ApiKey(KEY), keys=KEYS)
    assert len(found) == 32
    for digest in ("md5", "sha1", "sha256", "sha512"):
        assert found not in hashlib.new(digest, KEY.encode()).hexdigest()


def test_rate_limit_table_does_not_contain_the_key(limited: Sandbox) -> None:
    key = ApiKey(limited.store.key("bondi"))
    with database.cursor() as cursor:
        cursor.execute("SELECT string_agg(each::text, ' ') FROM public.tenants_keybudget each")
        table = cursor.fetchone()[0]
    assert fingerprint(key, keys=configured.SEALING_KEYS) in table
    assert all(key.body[start : start + 6] not in table for start in range(0, len(key.body), 6))


# --- Slices and launches ---


def test_spent_budget_postpones_the_slice_and_leaves_the_state_unchanged(limited: Sandbox) -> None:
    use_up(limited)
    with clinic_context("bondi"):
        mark_all_due()
        before = connection_state.load()
    requests = limited.store.count_requests()
    outcome = run_slice()
    assert outcome.has_more
    assert outcome.resume_at is not None
    assert timedelta(seconds=50) < outcome.resume_at - timezone.now() < timedelta(seconds=61)
    assert limited.store.count_requests() == requests
    assert state() == "ok"
    with clinic_context("bondi"):
        after = connection_state.load()
    assert (after.resume_at, after.failures, after.state_since) == (None, 0, before.state_since)


def test_import_with_a_spent_budget_is_still_importing(connected: Connect, settings: Settings) -> None:
    sandbox = connected("bondi")
    settings.CLINIKO_REQUESTS_PER_MINUTE = 200
    use_up(sandbox)
    assert run_slice().has_more
    assert state() == IMPORTING
    advance_clock(61)
    assert run_slice() == walk_run.SliceOutcome()
    assert state() == "ok"


def test_429_sets_the_state_to_rate_limited(limited: Sandbox) -> None:
    limited.store.inject_fault("bondi", Fault.TOO_MANY, seconds=30)
    with clinic_context("bondi"):
        mark_all_due()
    outcome = run_slice()
    assert not outcome.has_more
    assert outcome.resume_at is not None
    assert state() == "rate_limited"


def test_launch_with_a_spent_budget_makes_no_request_and_leaves_the_state_unchanged(limited: Sandbox) -> None:
    use_up(limited)
    requests = limited.store.count_requests()
    with clinic_context("bondi"):
        assert refresh_patient("42") == Outcome.RATE_LIMITED
    assert limited.store.count_requests() == requests
    assert state() == "ok"


def test_launches_have_a_reserve_when_the_background_budget_is_spent(limited: Sandbox) -> None:
    share = share_for(ApiKey(limited.store.key("bondi")), "background")
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
def shared_key(limited: Sandbox, harbour: Clinic) -> Sandbox:
    """Both clinics have bondi's key."""
    with clinic_context("harbour"):
        connect.connect(ApiKey(limited.store.key("bondi")), by=OPS)
    return limited


def test_clinics_with_the_same_key_share_one_budget(shared_key: Sandbox) -> None:
    with clinic_context("bondi"):
        left = connection_state.requests_left()
    run_slice("harbour")
    with clinic_context("bondi"):
        after = connection_state.requests_left()
    assert left is not None
    assert after is not None
    assert after < left


def test_clinics_with_their_own_keys_have_their_own_budgets(limited: Sandbox, connected: Connect) -> None:
    connected("harbour")
    use_up(limited)
    assert run_slice("harbour") == walk_run.SliceOutcome()


def test_429_at_one_clinic_stops_the_other_clinic_with_the_same_key(shared_key: Sandbox) -> None:
    shared_key.store.inject_fault("bondi", Fault.TOO_MANY, seconds=30)
    with clinic_context("bondi"), pytest.raises(RateLimited) as limit:
        walk_run.run_sync()
    assert not isinstance(limit.value, BudgetSpent)
    requests = shared_key.store.count_requests()
    assert run_slice("harbour") == walk_run.SliceOutcome(has_more=True, resume_at=limit.value.until)
    with clinic_context("harbour"):
        assert refresh_patient("42") == Outcome.RATE_LIMITED
    assert shared_key.store.count_requests() == requests
    advance_clock(31)
    assert run_slice("harbour") == walk_run.SliceOutcome()


# --- A whole import ---


class Clock:
    """Cliniko's clock. A request takes a tenth of a second."""

    ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_by(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)
        advance_clock(seconds)


class SlowInProcess(InProcess):
    def send(self, *args: Any, **options: Any) -> Any:
        answer = super().send(*args, **options)
        clock: Clock = self.app.extensions["cliniko_store"].now
        clock.pass_by(0.1)
        return answer


def test_full_speed_import_never_reaches_clinikos_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings, bondi: Clinic
) -> None:
    clock = Clock()
    app = create_app(tmp_path / "cliniko.sqlite3", requests_per_minute=200, now=clock)
    store, transport = store_of(app), SlowInProcess(app)
    key = store.add_account("bondi", patients=60)
    monkeypatch.setattr("requests.Session.get_adapter", lambda *_, **__: transport)
    monkeypatch.setattr("sync.cliniko.client.PER_PAGE", 3)
    monkeypatch.setattr(Cliniko, "prefetch", prefetch_inline)
    settings.CLINIKO_API_URL = API_URL
    with clinic_context("bondi"):
        connect.connect(ApiKey(key), by=OPS)
        launches = store.count_requests()
    while (outcome := run_slice()).has_more:
        assert outcome.resume_at is not None
        clock.pass_by(max(0.0, (outcome.resume_at - timezone.now()).total_seconds()))
    requests = store.requests("bondi")
    assert len(requests) > 300
    assert {each.status for each in requests} <= {200, 404}
    times = [parse_time(each.at) for each in requests[launches:]]
    minute = timedelta(seconds=59)  # the log has whole seconds
    assert max(sum(at <= each <= at + minute for each in times) for at in times) <= 140
