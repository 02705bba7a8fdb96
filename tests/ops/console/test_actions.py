"""Actions on one or several clinics: a confirmation page first, then done and logged."""

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
from tests.ops.console.pages import access_events, text

Browsers = Callable[..., Client]
TOMORROW_NOON = (timezone.now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
TOMORROW = TOMORROW_NOON.date()


def test_an_action_is_explained_first_and_done_after_confirmation(
    operator_client: Browsers, mark_imported: Callable[[str], None]
) -> None:
    mark_imported("bondi")
    browser, long_ago = operator_client("ana"), timezone.now() + timedelta(hours=5)
    with clinic_context("bondi"):
        Cursor.objects.update(due_at=long_ago)
    page = text(browser.get("/ops/do/compare?clinic=bondi"))
    assert "Every record is read from Cliniko again" in page
    assert access_events("bondi") == []
    response = browser.post("/ops/do/compare", {"clinic": "bondi"})
    assert response["Location"] == "/ops/clinics/bondi/"
    with clinic_context("bondi"):
        assert not Cursor.objects.filter(due_at=long_ago).exists()
    assert [line[:3] for line in access_events("bondi")] == [("sync_resumed", None, "ops (ana@sidechart.example)")]
    assert Event.objects.get().details == {"clinic": "bondi"}


def test_only_selected_clinics_are_changed(operator_client: Browsers, mark_imported: Callable[[str], None]) -> None:
    mark_imported("bondi")
    browser = operator_client()
    assert browser.post("/ops/do/compare", {})["Location"] == "/ops/"
    browser.post("/ops/do/compare", {"clinic": ["bondi", "nobody"]})
    assert len(access_events("bondi")) == 1
    assert access_events("harbour") == []


def test_a_clinic_without_a_key_cannot_be_resynced(operator_client: Browsers, bondi: Clinic) -> None:
    response = operator_client().post("/ops/do/compare", {"clinic": "bondi"}, follow=True)
    assert re.search("bondi: .* key", text(response))
    assert (access_events("bondi"), Event.objects.exists()) == ([], False)


def test_nothing_is_changed_when_the_clinics_access_log_cannot_be_written(
    operator_client: Browsers, mark_imported: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_imported("bondi")

    mark_imported("harbour")

    def fail_at_bondi(*args: Any, **kwargs: Any) -> Any:
        if current_clinic().label == "bondi":
            raise AuditUnavailable("for this test")
        return record(*args, **kwargs)

    monkeypatch.setattr("ops.onboarding.record", fail_at_bondi)
    with clinic_context("bondi"):
        Cursor.objects.update(due_at=TOMORROW_NOON)
    response = operator_client().post("/ops/do/compare", {"clinic": ["bondi", "harbour"]}, follow=True)
    assert "bondi: the access log can&#x27;t be written, so nothing was changed." in text(response)
    with clinic_context("bondi"):
        assert Cursor.objects.exclude(due_at=TOMORROW_NOON).count() == 0
    assert [event.details["clinic"] for event in Event.objects.all()] == ["harbour"]


def test_the_sync_is_paused_and_resumed(
    operator_client: Browsers, mark_imported: Callable[[str], None], harbour: Clinic
) -> None:
    mark_imported("bondi")
    browser = operator_client("ana")
    for action, state in (("pause", "paused"), ("pause", "paused"), ("unpause", "ok"), ("unpause", "ok")):
        browser.post(f"/ops/do/{action}", {"clinic": ["bondi", "harbour"]})
        with clinic_context("bondi"):
            assert Connection.objects.get().state == state
    actor = "ops (ana@sidechart.example)"
    assert access_events("bondi") == [("sync_paused", None, actor, {}), ("sync_resumed", None, actor, {})]
    assert access_events("harbour") == []
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
def test_several_clinics_change_state_at_once_and_each_has_it_in_its_access_log(
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
        assert [line[:3] for line in access_events(label)] == [(recorded, None, "ops (ana@sidechart.example)")]
    assert [event.details["clinic"] for event in Event.objects.filter(action=recorded).order_by("pk")] == [
        "bondi",
        "harbour",
    ]


def test_repeating_an_action_is_logged_once(operator_client: Browsers, bondi: Clinic) -> None:
    browser = operator_client()
    for _ in range(2):
        browser.post("/ops/do/suspend", {"clinic": "bondi", "reason": "Unpaid"})
    assert (len(access_events("bondi")), Event.objects.count()) == (1, 1)
    assert "is already suspended" in text(browser.get("/ops/clinics/bondi/"))


def test_an_incomplete_form_changes_nothing(operator_client: Browsers, bondi: Clinic) -> None:
    browser = operator_client()
    for action, form in (("suspend", {}), ("close", {"on": "soon"}), ("rename", {})):
        assert browser.post(f"/ops/do/{action}", {"clinic": "bondi"} | form).status_code == 422
    yesterday = timezone.now().date() - timedelta(days=1)
    response = browser.post("/ops/do/close", {"clinic": "bondi", "on": f"{yesterday}"}, follow=True)
    assert "isn&#x27;t in the future" in text(response)
    bondi.refresh_from_db()
    assert bondi.state == "active"
    assert not Event.objects.exists()


def test_renaming_works_for_one_clinic_at_a_time_and_redirects_to_its_new_page(
    operator_client: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    browser = operator_client()
    response = browser.post("/ops/do/rename", {"clinic": ["bondi", "harbour"], "new_label": "coast"})
    assert response["Location"] == "/ops/"
    assert "one clinic at a time" in text(browser.get("/ops/"))
    refused = browser.post("/ops/do/rename", {"clinic": "bondi", "new_label": "harbour"}, follow=True)
    assert "is taken" in text(refused)
    response = browser.post("/ops/do/rename", {"clinic": "bondi", "new_label": "coast"})
    assert response["Location"] == "/ops/clinics/coast/"
    assert access_events("coast")[0][3] == {"before": "bondi", "after": "coast"}
