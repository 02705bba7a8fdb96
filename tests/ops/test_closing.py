"""Closing a clinic: the date, and the emails to its owners."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from audit.log import OPS
from ops import lifecycle, tasks
from ops.errors import Refused
from tenants.models import Clinic


def in_days(days: int) -> date:
    return timezone.now().date() + timedelta(days=days)


def no_mail_server(*_: object) -> None:
    raise OSError("no mail server")


def test_owners_are_emailed_at_once_and_staff_can_work_until_then(
    staff_member: Callable[..., User],
    sign_in: Callable[..., Client],
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    for label in ("bondi", "harbour"):
        staff_member(label, "owner")
        staff_member(label, "reception")
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.close("bondi", on=in_days(60), by=OPS)
    (mail,) = mailoutbox
    assert mail.to == ["owner@clinic.example"]
    assert "in 60 days" in str(mail.body)
    assert "http://bondi.localhost:8000/settings/export" in str(mail.body)
    notice = "closes on"
    assert notice in (page := sign_in("bondi", "owner").get("/").content.decode())
    assert 'href="/settings/export"' in page
    assert notice not in sign_in("bondi", "reception").get("/").content.decode()
    assert notice not in sign_in("harbour", "owner").get("/").content.decode()


def test_owners_are_reminded_once_30_7_and_1_days_before(
    staff_member: Callable[..., User],
    mailoutbox: list[EmailMessage],
    bondi: Clinic,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    staff_member("bondi", "owner")
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.close("bondi", on=in_days(40), by=OPS)
    mailoutbox.clear()
    reminded = []
    for days in range(40, -2, -1):
        Clinic.objects.filter(pk=bondi.pk).update(closing_on=in_days(days))
        for _ in range(2):
            tasks.remind_closing()
        reminded += [days] * len(mailoutbox)
        mailoutbox.clear()
    assert reminded == [30, 7, 1]


def test_a_missed_or_failed_reminder_is_sent_at_the_next_run(
    staff_member: Callable[..., User], mailoutbox: list[EmailMessage], bondi: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff_member("bondi", "owner")
    Clinic.objects.filter(pk=bondi.pk).update(state="closing", closing_on=in_days(5))
    with monkeypatch.context() as patched:
        patched.setattr(EmailMessage, "send", no_mail_server)
        tasks.remind_closing()
    tasks.remind_closing()
    tasks.remind_closing()
    assert len(mailoutbox) == 1
    assert "in 5 days" in str(mailoutbox[0].body)


@pytest.mark.parametrize("days", [1, 60])
def test_a_failed_closing_email_is_retried_at_the_next_run(
    staff_member: Callable[..., User],
    mailoutbox: list[EmailMessage],
    bondi: Clinic,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    days: int,
) -> None:
    staff_member("bondi", "owner")
    with monkeypatch.context() as patched, django_capture_on_commit_callbacks(execute=True):
        patched.setattr(EmailMessage, "send", no_mail_server)
        lifecycle.close("bondi", on=in_days(days), by=OPS)
    tasks.remind_closing()
    tasks.remind_closing()
    assert len(mailoutbox) == 1


def test_an_owner_who_joins_later_is_emailed(
    staff_member: Callable[..., User], mailoutbox: list[EmailMessage], bondi: Clinic
) -> None:
    lifecycle.close("bondi", on=in_days(40), by=OPS)
    tasks.remind_closing()
    staff_member("bondi", "owner")
    tasks.remind_closing()
    assert len(mailoutbox) == 1


def test_one_clinics_broken_tables_do_not_stop_other_reminders(
    staff_member: Callable[..., User], mailoutbox: list[EmailMessage], bondi: Clinic, harbour: Clinic
) -> None:
    for label in ("bondi", "harbour"):
        staff_member(label, "owner")
    Clinic.objects.update(state="closing", closing_on=in_days(5))
    broken = Clinic.objects.order_by("pk")[0]
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {broken.schema_name}.accounts_user RENAME TO gone")
    tasks.remind_closing()
    assert len(mailoutbox) == 1


@pytest.mark.parametrize("days", [-1, 0])
def test_the_closing_date_must_be_in_the_future(bondi: Clinic, days: int) -> None:
    with pytest.raises(Refused, match="isn't in the future"):
        lifecycle.close("bondi", on=in_days(days), by=OPS)


def test_a_suspended_clinic_cannot_be_closed(bondi: Clinic) -> None:
    lifecycle.suspend("bondi", reason="unpaid", by=OPS)
    with pytest.raises(Refused, match="resume"):
        lifecycle.close("bondi", on=in_days(40), by=OPS)


def test_resuming_cancels_the_closing_date(bondi: Clinic, mailoutbox: list[EmailMessage]) -> None:
    lifecycle.close("bondi", on=in_days(40), by=OPS)
    lifecycle.resume("bondi", by=OPS)
    bondi.refresh_from_db()
    assert (bondi.state, bondi.closing_on, bondi.closing_reminded_days) == ("setup", None, None)
