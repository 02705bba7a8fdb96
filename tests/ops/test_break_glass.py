"""Looking into a clinic: a reason, a while, one record at a time, and a line in the clinic's own log for each."""

from collections.abc import Callable
from datetime import timedelta
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
from tenants.models import Clinic

Browsers = Callable[..., Client]
NAME = "Zephyrine Quackenbush"
REASON = {"reason": "Ticket 311: her birth date cannot be read", "minutes": "15"}
AT = "/ops/clinics/bondi"


@pytest.fixture
def kept(bondi: Clinic, harbour: Clinic) -> int:
    """A record that could not be read, the same at both clinics but for the name; its id, equal in both."""
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


def text(answer: Any) -> str:
    return str(answer.content.decode())


def lines_of(label: str) -> list[tuple[str, str, dict[str, Any]]]:
    with clinic_context(label):
        return [
            (e.user_email, e.patient_id, e.details) for e in Event.objects.filter(action="ops_access").order_by("pk")
        ]


def look(browser: Client) -> Client:
    assert browser.post(f"{AT}/look", REASON)["Location"] == f"{AT}/kept"
    return browser


def test_without_a_reason_nothing_opens(operator_client: Browsers, kept: int) -> None:
    browser = operator_client("ana")
    for answer in (browser.get(f"{AT}/kept"), browser.post(f"{AT}/kept/{kept}")):
        assert answer["Location"] == f"{AT}/look"
    for wrong in ({}, {"reason": "why not", "minutes": "15"}, {"reason": REASON["reason"], "minutes": "600"}):
        assert browser.post(f"{AT}/look", wrong).status_code == 422
    assert not BreakGlassGrant.objects.exists()
    assert lines_of("bondi") == []


def test_with_a_reason_the_list_opens_and_names_nobody_and_each_record_is_one_more_line(
    operator_client: Browsers, kept: int
) -> None:
    browser = look(operator_client("ana"))
    page = text(browser.get(f"{AT}/kept"))
    assert "date_of_birth is not a time." in page
    assert "3 patients" in page
    assert "1 request<" in page
    assert NAME not in page
    assert ">43<" not in page
    opened = text(browser.post(f"{AT}/kept/{kept}"))
    assert NAME in opened
    until = f"{BreakGlassGrant.objects.get().expires_at:%Y-%m-%d %H:%M} UTC"
    who = "ops (ana@sidechart.example)"
    what = {"what": "an unreadable record", "list": "patients", "record": kept}
    assert lines_of("bondi") == [(who, "", {"reason": REASON["reason"], "until": until}), (who, "43", what)]
    assert lines_of("harbour") == []
    of_ops = list(Event.objects.order_by("pk").values_list("user_email", "patient_id", "details"))
    mine = "ana@sidechart.example"
    assert of_ops == [
        (mine, "", {"clinic": "bondi", "reason": REASON["reason"], "until": until}),
        (mine, "", what | {"clinic": "bondi"}),
    ]


def test_owners_are_mailed_and_the_mail_names_no_patient(
    operator_client: Browsers, kept: int, staff_member: Callable[..., User], django_capture_on_commit_callbacks: Any
) -> None:
    staff_member("bondi", "owner")
    staff_member("bondi", "admin")
    staff_member("harbour", "owner")
    with django_capture_on_commit_callbacks(execute=True):
        look(operator_client("ana"))
    assert [each.to for each in mail.outbox] == [["owner@clinic.example"]]
    body = mail.outbox[0].body
    assert "ana@sidechart.example" in body
    assert REASON["reason"] in body
    assert "http://bondi.localhost:8000/settings/access" in body
    assert NAME not in body


def test_a_look_is_one_persons_and_one_clinics(operator_client: Browsers, kept: int) -> None:
    look(operator_client("ana"))
    assert operator_client("ben").get(f"{AT}/kept")["Location"] == f"{AT}/look"
    assert operator_client("ben").post(f"{AT}/kept/{kept}")["Location"] == f"{AT}/look"
    at_harbour = operator_client("ana").post(f"/ops/clinics/harbour/kept/{kept}")
    assert at_harbour["Location"] == "/ops/clinics/harbour/look"


def test_a_look_ends_by_itself(operator_client: Browsers, kept: int) -> None:
    browser = look(operator_client("ana"))
    BreakGlassGrant.objects.update(
        starts_at=timezone.now() - timedelta(minutes=15), expires_at=timezone.now() - timedelta(seconds=1)
    )
    assert browser.get(f"{AT}/kept")["Location"] == f"{AT}/look"
    assert browser.post(f"{AT}/kept/{kept}")["Location"] == f"{AT}/look"
    assert len(lines_of("bondi")) == 1


def test_a_look_can_be_ended_before(operator_client: Browsers, kept: int) -> None:
    browser = look(operator_client("ana"))
    assert browser.get(f"{AT}/look")["Location"] == f"{AT}/kept"
    assert browser.post(f"{AT}/look/end")["Location"] == f"{AT}/"
    assert browser.post(f"{AT}/kept/{kept}")["Location"] == f"{AT}/look"
    assert [details.get("what") for _, _, details in lines_of("bondi")] == [None, "ended"]
    browser.post(f"{AT}/look/end")
    assert len(lines_of("bondi")) == 2


def test_a_look_ends_with_its_persons_account(operator_client: Browsers, kept: int) -> None:
    look(operator_client("ana"))
    operators.suspend("ana@sidechart.example")
    operators.resume("ana@sidechart.example")
    assert operator_client("ana").get(f"{AT}/kept")["Location"] == f"{AT}/look"


def test_what_could_be_read_meanwhile_is_not_shown_and_not_logged(operator_client: Browsers, kept: int) -> None:
    browser = look(operator_client("ana"))
    assert browser.post(f"{AT}/kept/999")["Location"] == f"{AT}/kept"
    assert len(lines_of("bondi")) == 1


def test_no_link_opens_a_record(operator_client: Browsers, kept: int) -> None:
    browser = look(operator_client("ana"))
    assert browser.get(f"{AT}/kept/{kept}").status_code == 405
    assert len(lines_of("bondi")) == 1


@pytest.mark.parametrize("step", ["begin", "open"])
def test_what_cannot_be_logged_at_the_clinic_is_not_shown(
    operator_client: Browsers, kept: int, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    browser = operator_client("ana")
    if step == "open":
        look(browser)
    before = Event.objects.count()

    def full(*_: object, **__: object) -> None:
        raise AuditUnavailable("for this test")

    monkeypatch.setattr("ops.break_glass.record", full)
    answer = browser.post(f"{AT}/look", REASON) if step == "begin" else browser.post(f"{AT}/kept/{kept}")
    assert answer.status_code == 503
    assert NAME not in text(answer)
    assert (Event.objects.count(), BreakGlassGrant.objects.count()) == (before, before)


def test_the_database_itself_refuses_a_long_look_one_without_a_reason_and_a_line_about_a_patient(
    bondi: Clinic, operator: Callable[..., User]
) -> None:
    now, ana = timezone.now(), operator("ana")
    for reason, minutes in (("Ticket 311", 61), ("", 15)):
        until = now + timedelta(minutes=minutes)
        with pytest.raises(IntegrityError), transaction.atomic():
            BreakGlassGrant.objects.create(clinic=bondi, user_id=ana.pk, reason=reason, starts_at=now, expires_at=until)
    with pytest.raises(IntegrityError), transaction.atomic():
        Event.objects.create(user_email=ana.email, action="viewed", patient_id="42")


def test_a_payload_that_is_no_json_and_one_with_markup_are_shown_as_they_are(
    operator_client: Browsers, kept: int
) -> None:
    with clinic_context("bondi"):
        RefusedPayload.objects.update(payload="<script>alert(1)</script> not json")
    page = text(look(operator_client("ana")).post(f"{AT}/kept/{kept}"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt; not json" in page
    assert "<script>alert" not in page


def test_staff_read_in_their_own_log_who_of_ops_looked_and_why(
    operator_client: Browsers, kept: int, sign_in: Browsers
) -> None:
    look(operator_client("ana"))
    page = text(sign_in("bondi", "owner").get("/settings/access"))
    assert "ops (ana@sidechart.example)" in page
    assert REASON["reason"] in page
