"""Break glass: a reason, an expiry, one record at a time, and an event in the clinic's access log for each."""

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.log import AuditUnavailable
from audit.models import Event
from ops import operators
from ops.models import BreakGlassGrant
from sync.models import RefusedPayload, SyncRun
from tenants.context import clinic_context
from tenants.dates import in_zone
from tenants.models import Clinic
from tests.ops.console.pages import text

Browsers = Callable[..., Client]
NAME = "Zephyrine Quackenbush"
REASON = {"reason": "Ticket 311: a date of birth is unreadable", "minutes": "15"}
AT = "/ops/clinics/bondi"


@pytest.fixture
def record_id(bondi: Clinic, harbour: Clinic) -> int:
    """An unreadable record at both clinics, with another name; return its id, the same in both."""
    for label, name in (("bondi", NAME), ("harbour", "Hortensia Vandersnoot")):
        with clinic_context(label):
            RefusedPayload.objects.create(
                pk=7001,
                resource="patients",
                cliniko_id="43",
                patient_id="43",
                payload=f'{{"name": "{name}", "date_of_birth": "soon"}}',
                reason="date_of_birth is not a time.",
            )
            SyncRun.objects.create(result="done", resources={"patients": {"fetched": 3, "written": 2, "requests": 1}})
    return 7001


def access_events(label: str) -> list[tuple[str, str, dict[str, Any]]]:
    with clinic_context(label):
        return [
            (e.user_email, e.patient_id, e.details) for e in Event.objects.filter(action="ops_access").order_by("pk")
        ]


def open_access(browser: Client) -> Client:
    assert browser.post(f"{AT}/look", REASON)["Location"] == f"{AT}/kept"
    return browser


def test_nothing_opens_without_a_reason(operator_client: Browsers, record_id: int) -> None:
    browser = operator_client("ana")
    for response in (browser.get(f"{AT}/kept"), browser.post(f"{AT}/kept/{record_id}")):
        assert response["Location"] == f"{AT}/look"
    for wrong in ({}, {"reason": "why not", "minutes": "15"}, {"reason": REASON["reason"], "minutes": "600"}):
        assert browser.post(f"{AT}/look", wrong).status_code == 422
    assert not BreakGlassGrant.objects.exists()
    assert access_events("bondi") == []


def test_the_list_names_no_patient_and_each_opened_record_is_logged(operator_client: Browsers, record_id: int) -> None:
    browser = open_access(operator_client("ana"))
    page = text(browser.get(f"{AT}/kept"))
    assert "date_of_birth is not a time." in page
    assert "3 patients" in page
    assert "1 request<" in page
    assert NAME not in page
    assert ">43<" not in page
    opened = text(browser.post(f"{AT}/kept/{record_id}"))
    assert NAME in opened
    until = in_zone(BreakGlassGrant.objects.get().expires_at, UTC)
    actor = "ops (ana@sidechart.example)"
    details = {"what": "an unreadable record", "list": "patients", "record": record_id}
    assert access_events("bondi") == [(actor, "", {"reason": REASON["reason"], "until": until}), (actor, "43", details)]
    assert access_events("harbour") == []
    operator_log = list(Event.objects.order_by("pk").values_list("user_email", "patient_id", "details"))
    email = "ana@sidechart.example"
    assert operator_log == [
        (email, "", {"clinic": "bondi", "reason": REASON["reason"], "until": until}),
        (email, "", details | {"clinic": "bondi"}),
    ]


def test_owners_are_emailed_without_the_patients_name(
    operator_client: Browsers,
    record_id: int,
    staff_member: Callable[..., User],
    django_capture_on_commit_callbacks: Any,
) -> None:
    staff_member("bondi", "owner")
    staff_member("bondi", "admin")
    staff_member("harbour", "owner")
    with django_capture_on_commit_callbacks(execute=True):
        open_access(operator_client("ana"))
    assert [each.to for each in mail.outbox] == [["owner@clinic.example"]]
    body = mail.outbox[0].body
    assert "ana@sidechart.example" in body
    assert REASON["reason"] in body
    assert "http://bondi.localhost:8000/settings/access" in body
    assert NAME not in body


def test_access_is_for_one_operator_and_one_clinic(operator_client: Browsers, record_id: int) -> None:
    open_access(operator_client("ana"))
    assert operator_client("ben").get(f"{AT}/kept")["Location"] == f"{AT}/look"
    assert operator_client("ben").post(f"{AT}/kept/{record_id}")["Location"] == f"{AT}/look"
    at_harbour = operator_client("ana").post(f"/ops/clinics/harbour/kept/{record_id}")
    assert at_harbour["Location"] == "/ops/clinics/harbour/look"


def test_access_expires(operator_client: Browsers, record_id: int) -> None:
    browser = open_access(operator_client("ana"))
    BreakGlassGrant.objects.update(
        starts_at=timezone.now() - timedelta(minutes=15), expires_at=timezone.now() - timedelta(seconds=1)
    )
    assert browser.get(f"{AT}/kept")["Location"] == f"{AT}/look"
    assert browser.post(f"{AT}/kept/{record_id}")["Location"] == f"{AT}/look"
    assert len(access_events("bondi")) == 1


def test_access_can_be_ended_early(operator_client: Browsers, record_id: int) -> None:
    browser = open_access(operator_client("ana"))
    assert browser.get(f"{AT}/look")["Location"] == f"{AT}/kept"
    assert browser.post(f"{AT}/look/end")["Location"] == f"{AT}/"
    assert browser.post(f"{AT}/kept/{record_id}")["Location"] == f"{AT}/look"
    assert [details.get("access") for _, _, details in access_events("bondi")] == [None, "ended"]
    browser.post(f"{AT}/look/end")
    assert len(access_events("bondi")) == 2


def test_suspending_the_operator_ends_access(operator_client: Browsers, record_id: int) -> None:
    open_access(operator_client("ana"))
    operators.suspend("ana@sidechart.example")
    operators.resume("ana@sidechart.example")
    assert operator_client("ana").get(f"{AT}/kept")["Location"] == f"{AT}/look"


def test_a_record_that_is_gone_is_not_shown_and_not_logged(operator_client: Browsers, record_id: int) -> None:
    browser = open_access(operator_client("ana"))
    assert browser.post(f"{AT}/kept/999")["Location"] == f"{AT}/kept"
    assert len(access_events("bondi")) == 1


def test_a_get_request_opens_no_record(operator_client: Browsers, record_id: int) -> None:
    browser = open_access(operator_client("ana"))
    assert browser.get(f"{AT}/kept/{record_id}").status_code == 405
    assert len(access_events("bondi")) == 1


@pytest.mark.parametrize("step", ["begin", "open"])
def test_nothing_is_shown_when_the_clinics_access_log_cannot_be_written(
    operator_client: Browsers, record_id: int, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    browser = operator_client("ana")
    if step == "open":
        open_access(browser)
    before = Event.objects.count()

    def fail(*_: object, **__: object) -> None:
        raise AuditUnavailable("for this test")

    monkeypatch.setattr("ops.break_glass.record", fail)
    response = browser.post(f"{AT}/look", REASON) if step == "begin" else browser.post(f"{AT}/kept/{record_id}")
    assert response.status_code == 503
    assert NAME not in text(response)
    assert (Event.objects.count(), BreakGlassGrant.objects.count()) == (before, before)


def test_the_database_refuses_long_grants_grants_without_a_reason_and_events_about_a_patient(
    bondi: Clinic, operator: Callable[..., User]
) -> None:
    now, ana = timezone.now(), operator("ana")
    for reason, minutes in (("Ticket 311", 61), ("", 15)):
        until = now + timedelta(minutes=minutes)
        with pytest.raises(IntegrityError), transaction.atomic():
            BreakGlassGrant.objects.create(clinic=bondi, user_id=ana.pk, reason=reason, starts_at=now, expires_at=until)
    with pytest.raises(IntegrityError), transaction.atomic():
        Event.objects.create(user_email=ana.email, action="viewed", patient_id="42")


def test_a_payload_that_is_not_json_is_shown_escaped(operator_client: Browsers, record_id: int) -> None:
    with clinic_context("bondi"):
        RefusedPayload.objects.update(payload="<script>alert(1)</script> not json")
    page = text(open_access(operator_client("ana")).post(f"{AT}/kept/{record_id}"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt; not json" in page
    assert "<script>alert" not in page


def test_staff_see_in_their_access_log_which_operator_had_access_and_why(
    operator_client: Browsers, record_id: int, sign_in: Browsers
) -> None:
    open_access(operator_client("ana"))
    page = text(sign_in("bondi", "owner").get("/settings/access"))
    assert "ops (ana@sidechart.example)" in page
    assert REASON["reason"] in page
