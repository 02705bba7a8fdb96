"""What ops do with clinics in the console, one or many at once: told before, done on the second click, logged."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.log import AuditUnavailable, record
from audit.models import Event
from sync.models import Connection, Cursor
from tenants.context import clinic_context, current_clinic
from tenants.models import Clinic
from tests.ops.console.pages import lines_of, text

Browsers = Callable[..., Client]
TOMORROW_NOON = (timezone.now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
TOMORROW = TOMORROW_NOON.date()


def test_what_would_happen_is_said_first_and_done_on_the_second_click(
    operator_client: Browsers, mark_imported: Callable[[str], None]
) -> None:
    mark_imported("bondi")
    browser, long_ago = operator_client("ana"), timezone.now() + timedelta(hours=5)
    with clinic_context("bondi"):
        Cursor.objects.update(due_at=long_ago)
    page = text(browser.get("/ops/do/compare?clinic=bondi"))
    assert "Every record is read from Cliniko again" in page
    assert lines_of("bondi") == []
    answer = browser.post("/ops/do/compare", {"clinic": "bondi"})
    assert answer["Location"] == "/ops/clinics/bondi/"
    with clinic_context("bondi"):
        assert not Cursor.objects.filter(due_at=long_ago).exists()
    assert [line[:3] for line in lines_of("bondi")] == [("sync_resumed", None, "ops (ana@sidechart.example)")]
    assert Event.objects.get().details == {"clinic": "bondi"}


def test_nothing_is_done_to_a_clinic_that_was_not_chosen(
    operator_client: Browsers, mark_imported: Callable[[str], None]
) -> None:
    mark_imported("bondi")
    browser = operator_client()
    assert browser.post("/ops/do/compare", {})["Location"] == "/ops/"
    browser.post("/ops/do/compare", {"clinic": ["bondi", "nobody"]})
    assert len(lines_of("bondi")) == 1
    assert lines_of("harbour") == []


def test_a_clinic_without_a_key_is_compared_with_nothing(operator_client: Browsers, bondi: Clinic) -> None:
    answer = operator_client().post("/ops/do/compare", {"clinic": "bondi"}, follow=True)
    assert re.search("bondi: .* key", text(answer))
    assert (lines_of("bondi"), Event.objects.exists()) == ([], False)


def test_what_cannot_be_logged_at_the_clinic_is_not_done(
    operator_client: Browsers, mark_imported: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_imported("bondi")

    mark_imported("harbour")

    def full_at_bondi(*said: Any, **more: Any) -> Any:
        if current_clinic().label == "bondi":
            raise AuditUnavailable("for this test")
        return record(*said, **more)

    monkeypatch.setattr("ops.onboarding.record", full_at_bondi)
    with clinic_context("bondi"):
        Cursor.objects.update(due_at=TOMORROW_NOON)
    answer = operator_client().post("/ops/do/compare", {"clinic": ["bondi", "harbour"]}, follow=True)
    assert "bondi: the access log can&#x27;t be written, so nothing was changed." in text(answer)
    with clinic_context("bondi"):
        assert Cursor.objects.exclude(due_at=TOMORROW_NOON).count() == 0
    assert [event.details["clinic"] for event in Event.objects.all()] == ["harbour"]


def test_copying_is_paused_and_goes_on(
    operator_client: Browsers, mark_imported: Callable[[str], None], harbour: Clinic
) -> None:
    mark_imported("bondi")
    browser = operator_client("ana")
    for action, state in (("pause", "paused"), ("pause", "paused"), ("unpause", "ok"), ("unpause", "ok")):
        browser.post(f"/ops/do/{action}", {"clinic": ["bondi", "harbour"]})
        with clinic_context("bondi"):
            assert Connection.objects.get().state == state
    who = "ops (ana@sidechart.example)"
    assert lines_of("bondi") == [("sync_paused", None, who, {}), ("sync_resumed", None, who, {})]
    assert lines_of("harbour") == []
    assert [event.details for event in Event.objects.order_by("pk")] == [{"clinic": "bondi"}, {"clinic": "bondi"}]
    assert "harbour has no sync to pause" in text(browser.get("/ops/"))


@pytest.mark.parametrize(
    ("action", "form", "before", "after", "recorded"),
    [
        ("suspend", {"reason": "Unpaid"}, "active", "suspended", "clinic_suspended"),
        ("resume", {}, "suspended", "setup", "clinic_resumed"),
        ("close", {"on": f"{TOMORROW}"}, "active", "closing", "clinic_closing"),
    ],
)
def test_states_are_changed_for_many_at_once_and_each_clinic_reads_it(
    operator_client: Browsers,
    bondi: Clinic,
    harbour: Clinic,
    action: str,
    form: dict[str, str],
    before: str,
    after: str,
    recorded: str,
) -> None:
    Clinic.objects.update(state=before)
    browser = operator_client("ana")
    both = {"clinic": ["bondi", "harbour"]}
    assert "2 clinics" in text(browser.get(f"/ops/do/{action}?clinic=bondi&clinic=harbour"))
    assert Clinic.objects.filter(state=before).count() == 2
    assert browser.post(f"/ops/do/{action}", both | form)["Location"] == "/ops/"
    assert Clinic.objects.filter(state=after).count() == 2
    for label in ("bondi", "harbour"):
        assert [line[:3] for line in lines_of(label)] == [(recorded, None, "ops (ana@sidechart.example)")]
    assert [event.details["clinic"] for event in Event.objects.filter(action=recorded)] == ["bondi", "harbour"]


def test_a_change_asked_for_twice_is_one_line(operator_client: Browsers, bondi: Clinic) -> None:
    browser = operator_client()
    for _ in range(2):
        browser.post("/ops/do/suspend", {"clinic": "bondi", "reason": "Unpaid"})
    assert (len(lines_of("bondi")), Event.objects.count()) == (1, 1)
    assert "is already suspended" in text(browser.get("/ops/clinics/bondi/"))


def test_a_form_that_says_too_little_changes_nothing(operator_client: Browsers, bondi: Clinic) -> None:
    browser = operator_client()
    for action, form in (("suspend", {}), ("close", {"on": "soon"}), ("rename", {})):
        assert browser.post(f"/ops/do/{action}", {"clinic": "bondi"} | form).status_code == 422
    yesterday = timezone.now().date() - timedelta(days=1)
    answer = browser.post("/ops/do/close", {"clinic": "bondi", "on": f"{yesterday}"}, follow=True)
    assert "isn&#x27;t in the future" in text(answer)
    bondi.refresh_from_db()
    assert bondi.state == "active"
    assert not Event.objects.exists()


def test_a_clinic_is_renamed_one_at_a_time_and_leads_to_its_new_page(
    operator_client: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    browser = operator_client()
    answer = browser.post("/ops/do/rename", {"clinic": ["bondi", "harbour"], "new_label": "coast"})
    assert answer["Location"] == "/ops/"
    assert "one clinic at a time" in text(browser.get("/ops/"))
    refused = browser.post("/ops/do/rename", {"clinic": "bondi", "new_label": "harbour"}, follow=True)
    assert "is taken" in text(refused)
    answer = browser.post("/ops/do/rename", {"clinic": "bondi", "new_label": "coast"})
    assert answer["Location"] == "/ops/clinics/coast/"
    assert lines_of("coast")[0][3] == {"before": "bondi", "after": "coast"}
