"""`manage.py clinic invite` and `reset-second-factor`."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from accounts import invitations
from accounts.models import OpenSession, User
from audit.log import Action
from audit.models import Event
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.accounts.second_factors import add_app

RunClinic = Callable[..., Any]
Refusal = Callable[..., str]


def test_invite_prints_the_url_and_emails_it(bondi: Clinic, run_clinic: RunClinic, mailoutbox: list[object]) -> None:
    answer = run_clinic("invite", "bondi", "--email", "robin@clinic.example", "--role", "clinician")
    assert str(answer["invite_url"]).startswith("http://bondi.localhost:8000/invite/")
    assert len(mailoutbox) == 1


def test_an_invitation_to_a_wrong_address_can_be_cancelled(
    bondi: Clinic, harbour: Clinic, run_clinic: RunClinic
) -> None:
    for label in ("bondi", "harbour"):
        run_clinic("invite", label, "--email", "wrong@clinic.example", "--role", "owner")
        run_clinic("invite", label, "--email", "right@clinic.example", "--role", "owner")
    words = ("invite", "bondi", "--email", "Wrong@Clinic.example", "--take-back")
    assert run_clinic(*words, "--dry-run")["changed"] is True
    assert [run_clinic(*words)["changed"] for _ in range(2)] == [True, False]
    pending = {}
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            pending[label] = set(invitations.pending().values_list("email", flat=True))
    assert pending == {"bondi": {"right@clinic.example"}, "harbour": {"right@clinic.example", "wrong@clinic.example"}}
    with clinic_context("bondi"):
        (line,) = Event.objects.filter(action=Action.INVITATION_REVOKED)
    assert (line.user_email, line.details) == ("ops", {"person": "wrong@clinic.example", "role": "owner"})


def test_an_accepted_invitation_cannot_be_cancelled(staff_member: Callable[..., User], refusal: Refusal) -> None:
    person = staff_member("bondi", "owner")
    assert "has accepted" in refusal("invite", "bondi", "--email", person.email, "--take-back")
    assert "isn't an email address" in refusal("invite", "bondi", "--email", "nobody", "--take-back")


def test_reset_second_factor_removes_factors_ends_sessions_and_emails_the_user(
    run_clinic: RunClinic, staff_member: Callable[..., User], mailoutbox: list[Any]
) -> None:
    owner, twin = staff_member("bondi", "owner"), staff_member("harbour", "owner")
    add_app("bondi", owner)
    add_app("harbour", twin)
    with clinic_context("bondi"):
        OpenSession.objects.create(user=owner, browser="Chrome")
    answer = run_clinic("reset-second-factor", "bondi", "--email", "Owner@Clinic.example")
    assert answer == {"clinic": "bondi", "email": "Owner@Clinic.example", "mailed": True, "changed": True}
    with clinic_context("bondi"):
        assert not Authenticator.objects.exists()
        assert not OpenSession.objects.exists()
        (line,) = Event.objects.filter(action=Action.SECOND_FACTOR_RESET)
        assert (line.user_id, line.user_email, line.details) == (None, "ops", {"person": owner.email})
    with clinic_context("harbour"):
        assert Authenticator.objects.exists()
    again = run_clinic("reset-second-factor", "bondi", "--email", owner.email)
    assert (again["mailed"], again["changed"]) == (False, False)
    (sent,) = mailoutbox
    assert sent.to == [owner.email]
    assert "has reset your two-step verification" in sent.body


def test_resetting_an_unknown_user_or_clinic_is_refused(staff_member: Callable[..., User], refusal: Refusal) -> None:
    staff_member("bondi", "owner")
    words = ("reset-second-factor", "bondi", "--email")
    assert refusal(*words, "nobody@clinic.example").startswith("No one at bondi has the email address")
    assert "nowhere" in refusal("reset-second-factor", "nowhere", "--email", "owner@clinic.example")


def test_a_reset_reports_a_failed_email(
    run_clinic: RunClinic, staff_member: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError

    add_app("bondi", staff_member("bondi", "owner"))
    monkeypatch.setattr("django.core.mail.EmailMessage.send", fail)
    assert run_clinic("reset-second-factor", "bondi", "--email", "owner@clinic.example")["mailed"] is False
