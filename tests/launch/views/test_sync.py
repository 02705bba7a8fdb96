"""The sync page: status, controls and history."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.log import OPS, AuditUnavailable
from audit.models import Event
from sync import controls
from sync.connection import state as connection_state
from sync.models import Connection, Cursor, SyncRun
from sync.walk import run as walk_run
from sync.walk.lease import Lease, LeaseLost
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox

State = Connection.State
LATER = "2100-01-01T00:00Z"


@pytest.fixture
def owner(two_clinics: None, force_login: Callable[..., Client]) -> Client:
    Clinic.objects.update(sync_due_at=LATER)
    return force_login("bondi", role="owner")


def page_of(browser: Client, path: str = "/settings/sync") -> str:
    return " ".join(browser.get(path).content.decode().split())


def send(browser: Client, action: str) -> str:
    return " ".join(browser.post(f"/settings/sync/{action}", follow=True).content.decode().split())


def set_state(label: str, **fields: Any) -> None:
    with clinic_context(label):
        Connection.objects.update(**fields)


def is_due(label: str) -> bool:
    return Clinic.objects.get(label=label).sync_due_at <= timezone.now()


def test_the_page_shows_status_and_next_run(owner: Client) -> None:
    page = page_of(owner)
    assert "Up to date" in page
    assert "Australia/Sydney" in page
    assert "<dt>Last run</dt><dd>none yet</dd>" in page
    assert "<dt>Next run</dt><dd>at " in page


def test_a_running_import_updates_its_progress_bar(two_clinics: None, force_login: Callable[..., Client]) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="patients").update(imported_at=None, after_id="1", walked=300, total=1200)
    browser = force_login("bondi", role="owner")
    assert 'hx-trigger="every 3s"' in browser.get("/settings/sync").content.decode()
    part = browser.get("/settings/sync/standing", headers={"HX-Request": "true"}).content.decode()
    assert "300 of 1,200" in part
    assert 'value="25"' in part
    assert "First import in progress" in part
    assert "<html" not in part
    assert "300 of 1,200" not in force_login("harbour", role="owner").get("/settings/sync/standing").content.decode()


def test_a_list_that_the_key_cannot_read_is_shown_with_who_can_help(
    two_clinics: None, force_login: Callable[..., Client]
) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="medical_alerts").update(refused_at=timezone.now())
    page = force_login("bondi", role="admin").get("/settings/sync").content.decode()
    assert "The Cliniko user who made the API key can&#x27;t read medical alerts" in page
    assert "Someone who manages users in Cliniko" in page
    assert "Up to date" not in page


def test_an_unreadable_list_of_cancellations_is_shown_at_this_clinic_only(
    two_clinics: None, force_login: Callable[..., Client]
) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="individual_appointments").update(asks_hidden=False)
        Cursor.objects.create(resource="individual_appointments/cancelled", refused_at=timezone.now())
    sentence = "can&#x27;t list cancelled ones"
    assert sentence in force_login("bondi", role="owner").get("/settings/sync").content.decode()
    assert sentence not in force_login("harbour", role="owner").get("/settings/sync").content.decode()


def test_polling_the_progress_does_not_extend_the_session(
    two_clinics: None, force_login: Callable[..., Client]
) -> None:
    browser = force_login("bondi", role="owner")
    assert "Set-Cookie" not in browser.get("/settings/sync/standing").headers


# --- How long it takes -----------------------------------------------------------------------------------------------


def test_the_time_left_is_estimated_from_recent_runs(owner: Client) -> None:
    now = timezone.now()
    with clinic_context("bondi"):
        Connection.objects.update(connected_at=now - timedelta(minutes=2))
        Cursor.objects.filter(resource="patients").update(imported_at=None, walked=1000, total=5800)
        SyncRun.objects.create(
            started_at=now - timedelta(seconds=60),
            finished_at=now - timedelta(seconds=10),
            result=SyncRun.Result.CONTINUES,
            resources={"patients": {"fetched": 1000, "written": 1000, "requests": 10}},
        )
    part = page_of(owner, "/settings/sync/standing")
    assert "1,000 of 5,800 records. About 4 minutes left." in part  # 4,800 at 20 a second
    set_state("bondi", state=State.UNREACHABLE)
    assert "left." not in page_of(owner, "/settings/sync/standing")


def test_no_time_is_estimated_before_the_first_run(owner: Client) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="patients").update(imported_at=None, walked=0, total=5800)
    part = page_of(owner, "/settings/sync/standing")
    assert "Estimating the time left…" in part
    assert "left." not in part


# --- Now -------------------------------------------------------------------------------------------------------------


def test_sync_now_requests_every_list_at_this_clinic_only(owner: Client) -> None:
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            Cursor.objects.update(due_at=LATER)
    assert "Sidechart will ask Cliniko for changes within a few seconds." in send(owner, "now")
    assert (is_due("bondi"), is_due("harbour")) == (True, False)
    for label, due in (("bondi", 8), ("harbour", 0)):
        with clinic_context(label):
            assert Cursor.objects.filter(due_at__lte=timezone.now()).count() == due


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sealed_key": "", "state": State.NO_KEY}, "There is no API key yet."),
        ({"state": State.PAUSED}, "Sync is paused. Resume it first."),
        ({"state": State.KEY_INVALID}, "Cliniko doesn&#x27;t accept the API key. Enter a new one"),
        ({"state": State.RATE_LIMITED, "resume_at": "2100-01-01T09:30Z"}, "Sync continues automatically on"),
    ],
)
@pytest.mark.parametrize("order", ["now", "compare"])
def test_sync_now_is_refused_with_a_reason(owner: Client, fields: dict[str, Any], words: str, order: str) -> None:
    set_state("bondi", **fields)
    assert words in send(owner, order)
    assert not is_due("bondi")


def test_sync_now_ignores_the_backoff_after_an_outage(owner: Client) -> None:
    set_state("bondi", state=State.UNREACHABLE, resume_at=LATER)
    send(owner, "now")
    with clinic_context("bondi"):
        assert connection_state.load().resume_at is None


def test_a_full_comparison_can_be_requested(sandbox: Sandbox, force_login: Callable[..., Client]) -> None:
    sandbox.store.add_patient("bondi", first_name="Ada")
    sandbox.connect("bondi")
    sandbox.sync("bondi")
    assert "Sidechart is reading and comparing every record." in send(force_login("bondi", role="admin"), "compare")
    sandbox.sync("bondi")
    with clinic_context("bondi"):
        assert SyncRun.objects.order_by("-id").filter(resources__patients__mended=0).exists()


# --- Pause and resume ------------------------------------------------------------------------------------------------


def sync_entries(label: str) -> list[tuple[str, str]]:
    with clinic_context(label):
        return list(Event.objects.filter(action__startswith="sync_").order_by("id").values_list("action", "user_email"))


def test_a_pause_lasts_until_someone_resumes_and_both_are_audited(owner: Client) -> None:
    assert "Sync is paused until someone resumes it." in send(owner, "pause")
    page = page_of(owner)
    assert "Sync is paused." in page
    assert "Patients you open are still checked with Cliniko." in page
    assert "not scheduled" in page
    assert ">Sync now<" not in page
    with clinic_context("bondi"):
        assert walk_run.run_slice(seconds=5, pages=5).blocked
    assert "Sync resumed." in send(owner, "resume")
    assert is_due("bondi")
    assert ">Sync now<" in page_of(owner)
    who = "owner@clinic.example"
    assert sync_entries("bondi") == [("sync_paused", who), ("sync_resumed", who)]
    assert sync_entries("harbour") == []
    with clinic_context("harbour"):
        assert connection_state.load().state == State.OK


def test_pausing_twice_or_resuming_without_a_pause_changes_nothing(owner: Client) -> None:
    assert "Sync wasn&#x27;t paused." in send(owner, "resume")
    send(owner, "pause")
    assert "There is nothing to pause." in send(owner, "pause")
    assert [action for action, _ in sync_entries("bondi")] == ["sync_paused"]


def test_without_a_key_there_is_nothing_to_pause(force_login: Callable[..., Client]) -> None:
    assert "There is nothing to pause." in send(force_login("bondi", role="owner"), "pause")
    assert sync_entries("bondi") == []


def test_a_pause_does_not_hide_that_the_key_is_refused(owner: Client) -> None:
    set_state("bondi", state=State.KEY_INVALID, key_state="invalid")
    assert "There is nothing to pause." in send(owner, "pause")
    assert sync_entries("bondi") == []
    assert "Refused by Cliniko" in page_of(owner, "/settings/key")


def test_a_running_worker_loses_its_lease_at_a_pause(owner: Client) -> None:
    with clinic_context("bondi"), Lease() as lease:
        lease.renew()
        controls.pause(by=OPS)
        with pytest.raises(LeaseLost):
            lease.renew()
        controls.resume(by=OPS)
        with pytest.raises(LeaseLost):
            lease.renew()


def test_there_is_no_pause_when_its_entry_cannot_be_written(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AuditUnavailable("The access log cannot be written.")

    monkeypatch.setattr("sync.controls.record", refuse)
    assert owner.post("/settings/sync/pause").status_code == 503
    with clinic_context("bondi"):
        assert connection_state.load().state == State.OK


# --- History ---------------------------------------------------------------------------------------------------------


def add_run(label: str, *, written: int = 0, fetched: int = 0, result: str = "done", reason: str = "") -> None:
    with clinic_context(label):
        SyncRun.objects.create(
            finished_at=timezone.now(),
            result=result,
            reason=reason,
            resources={"patients": {"fetched": fetched, "written": written, "requests": 1}},
        )


def test_runs_with_changes_or_problems_are_listed_and_others_on_request(owner: Client) -> None:
    add_run("bondi", fetched=12, written=3)
    add_run("bondi", fetched=41)
    add_run("bondi", result="stopped", reason="Cliniko cannot be reached.")
    add_run("harbour", fetched=99, written=77)
    page = page_of(owner)
    assert 'Patients 3 <span class="soft">of 12</span>' in page
    assert "Cliniko cannot be reached." in page
    assert "of 41" not in page
    assert "of 99" not in page
    assert "of 41" in page_of(owner, "/settings/sync?runs=all")


def test_a_run_without_changes_says_so(owner: Client) -> None:
    add_run("bondi", fetched=41, result="stopped", reason="Cliniko cannot be reached.")
    assert '<td><span class="soft">Nothing</span></td>' in page_of(owner)


def test_a_run_that_used_up_its_requests_is_continued(
    sandbox: Sandbox, force_login: Callable[..., Client], settings: Any
) -> None:
    sandbox.connect("bondi")
    settings.CLINIKO_REQUESTS_PER_MINUTE, settings.CLINIKO_REQUESTS_RESERVED = 14, 1
    with clinic_context("bondi"):
        assert walk_run.run_slice(seconds=60, pages=60).has_more
    page = page_of(force_login("bondi", role="owner"), "/settings/sync?runs=all")
    assert "Continued" in page
    assert "The sync resumes automatically" in page
    assert ">Stopped<" not in page


def test_older_runs_are_on_the_next_page(owner: Client) -> None:
    for number in range(1, 31):
        add_run("bondi", fetched=1000 + number, written=number)
    page = page_of(owner)
    assert "of 1,030<" in page
    assert "of 1,005<" not in page
    with clinic_context("bondi"):
        last = SyncRun.objects.order_by("-id")[24].pk
    assert f"?before={last}#history" in page
    earlier = page_of(owner, f"/settings/sync?before={last}")
    assert "of 1,005<" in earlier
    assert "of 1,030<" not in earlier
    assert ">Older<" not in earlier


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, ""])
def test_an_invalid_page_number_shows_the_first_page(owner: Client, before: str) -> None:
    add_run("bondi", fetched=12, written=3)
    assert "of 12<" in page_of(owner, f"/settings/sync?before={before}")
