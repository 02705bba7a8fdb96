"""`manage.py clinic doctor`: one clinic's problems in sentences, without other clinics' problems."""

import json
from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPException

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from audit.log import Action, record
from launch.button_clicks import Kind
from launch.models import ButtonClick
from ops import doctor
from sync.models import Business, Connection, Cursor, RefusedPayload
from tenants.context import clinic_context
from tenants.dates import as_date
from tenants.models import Clinic, Domain
from tests.audit.tampering import tamper
from tests.cliniko_sandbox import Sandbox

OUTSIDE = ["address", "dns", "certificate", "migrations"]
CHECKS = [*OUTSIDE, "key", "time zone", "sync", "lists", "last launch", "access log", "mail", "clock"]


@pytest.fixture
def healthy(
    sandbox: Sandbox, staff_member: Callable[..., User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Sandbox:
    """Both clinics connected and mirrored, a patient opened at each, and a mail server that answers."""
    for label in ("bondi", "harbour"):
        sandbox.connect(label)
        sandbox.sync(label)
        robin = staff_member(label)
        with clinic_context(label):
            record(Action.VIEWED, by=robin, patient_id="42")
            ButtonClick.objects.create(kind=Kind.CLICK, clicked_at=timezone.now(), user=robin)
    settings.EMAIL_BACKEND = doctor.SMTP
    monkeypatch.setattr("django.core.mail.backends.smtp.EmailBackend.open", lambda _: True)
    return sandbox


def lights(label: str = "bondi") -> dict[str, str]:
    """The checks that are not ok."""
    return {each.check: each.light for each in doctor.examine(label) if each.light != "ok"}


def sentence(check: str, label: str = "bondi") -> str:
    return next(each.sentence for each in doctor.examine(label) if each.check == check)


def test_a_healthy_clinic_passes_every_check(healthy: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert [each.check for each in doctor.examine("bondi")] == CHECKS
    assert lights() == {}
    call_command("clinic", "doctor", "bondi")
    output = capsys.readouterr()
    assert (output.out.count(" ok "), output.err) == (len(CHECKS), "")


def test_the_key_is_never_printed(healthy: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("clinic", "doctor", "bondi", "--json")
    call_command("clinic", "doctor", "bondi")
    output = capsys.readouterr()
    assert healthy.store.key("bondi") not in output.out + output.err


def test_failed_checks_are_named_in_one_sentence_with_exit_status_1(
    healthy: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="invalid")
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", "doctor", "bondi", "--json")
    output = capsys.readouterr()
    found = {each["check"]: each for each in json.loads(output.out)["findings"]}
    assert stopped.value.code == 1
    assert output.err == "bondi has problems: key.\n"
    assert found["key"]["light"] == "fail"
    assert "doesn't accept the API key" in found["key"]["sentence"]
    assert lights("harbour") == {}


def test_an_unknown_clinic_is_refused(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", "doctor", "nowhere")
    assert stopped.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_new_clinic_needs_a_key(bondi: Clinic) -> None:
    warns = dict.fromkeys(["time zone", "sync", "lists", "last launch", "mail"], "warn")
    assert lights() == {"key": "fail"} | warns
    assert sentence("lists").startswith("Not read yet: practitioners,")
    assert "isn't connected to Cliniko yet" in sentence("key")


def test_a_key_that_cannot_be_decrypted_fails(healthy: Sandbox, settings: Settings) -> None:
    settings.SEALING_KEYS = ["another secret of thirty-two or more characters"]
    assert lights() == {"key": "fail"}


def test_a_key_that_cannot_be_decrypted_fails_even_when_paused(healthy: Sandbox, settings: Settings) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state=Connection.State.PAUSED)
    assert lights()["key"] == "warn"
    settings.SEALING_KEYS = ["another secret of thirty-two or more characters"]
    assert lights()["key"] == "fail"


@pytest.mark.parametrize("key_state", ["invalid", "forbidden"])
@pytest.mark.parametrize("state", ["paused", "unreachable"])
def test_a_refused_key_fails_even_when_paused_or_unreachable(healthy: Sandbox, state: str, key_state: str) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(state=state, key_state=key_state)
    assert lights()["key"] == "fail"
    assert "API key" in sentence("key")


def test_another_time_zone_at_a_location_and_an_unknown_one_warn(healthy: Sandbox) -> None:
    with clinic_context("bondi"):
        payload = {"id": "9", "time_zone": "Adelaide"}
        Business.objects.create(cliniko_id="9", payload=payload, updated_at=timezone.now(), sequence=1)
    assert lights() == {"time zone": "warn"}
    assert "locations in Australia/Adelaide" in sentence("time zone")
    assert lights("harbour") == {}
    with clinic_context("bondi"):
        Connection.objects.update(time_zone="UTC")
    assert "times are in UTC" in sentence("time zone")


@pytest.mark.parametrize(("minutes", "light"), [(5, None), (30, "warn"), (90, "fail")])
def test_sync_lag_warns_and_then_fails(healthy: Sandbox, minutes: int, light: str | None) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="patients").update(checked_at=timezone.now() - timedelta(minutes=minutes))
    assert lights() == ({"sync": light} if light else {})
    assert lights("harbour") == {}


def test_a_suspended_clinic_warns_whatever_its_lag(healthy: Sandbox) -> None:
    Clinic.objects.filter(label="bondi").update(state=Clinic.State.SUSPENDED)
    with clinic_context("bondi"):
        Cursor.objects.update(checked_at=timezone.now() - timedelta(days=9))
    assert lights() == {"address": "warn", "sync": "warn"}


def test_refused_lists_and_unreadable_records_warn(healthy: Sandbox) -> None:
    with clinic_context("bondi"):
        Cursor.objects.filter(resource="medical_alerts").update(refused_at=timezone.now())
        RefusedPayload.objects.create(resource="patients", cliniko_id="1", payload="{}", reason="odd")
    assert lights() == {"lists": "warn"}
    assert "medical alerts" in sentence("lists")
    assert "1 unreadable records" in sentence("lists")


def test_a_button_that_is_no_longer_clicked_warns(healthy: Sandbox) -> None:
    with clinic_context("bondi"):
        ButtonClick.objects.update(clicked_at=timezone.now() - timedelta(days=20))
    assert lights() == {"last launch": "warn"}
    assert as_date(timezone.now() - timedelta(days=20)) in sentence("last launch")
    assert lights("harbour") == {}


def test_opening_patients_from_search_only_warns(healthy: Sandbox) -> None:
    with clinic_context("bondi"):
        ButtonClick.objects.update(kind=Kind.TYPED)
    assert "from search only" in sentence("last launch")
    assert lights() == {"last launch": "warn"}


def test_deleted_access_log_events_fail(healthy: Sandbox) -> None:
    assert lights() == {}
    with clinic_context("bondi"):
        tamper("DELETE FROM audit_event")
    assert lights() == {"access log": "fail"}
    assert lights("harbour") == {}


def test_a_schema_with_missing_migrations_fails_and_is_not_checked_further(healthy: Sandbox) -> None:
    with clinic_context("bondi"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'launch'")
    assert lights() == {"migrations": "fail"}
    assert "manage.py migrate" in sentence("migrations")
    assert [each.check for each in doctor.examine("bondi")] == [*OUTSIDE, "mail", "clock"]


def test_a_missing_schema_fails(healthy: Sandbox, bondi: Clinic) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SCHEMA {bondi.schema_name} RENAME TO elsewhere")
    assert lights() == {"migrations": "fail"}


def test_a_missing_domain_fails(healthy: Sandbox) -> None:
    Domain.objects.filter(domain="bondi").delete()
    assert lights() == {"address": "fail"}


def test_an_unreachable_mail_server_fails(healthy: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for failure in (OSError("no route"), SMTPException("go away")):

        def refuse(_: object, failure: Exception = failure) -> None:
            raise failure

        monkeypatch.setattr("django.core.mail.backends.smtp.EmailBackend.open", refuse)
        assert lights() == {"mail": "fail"}


@pytest.mark.parametrize(("seconds", "light"), [(1, None), (5, "warn"), (-60, "fail")])
def test_different_clocks_warn_and_then_fail(
    db: None, monkeypatch: pytest.MonkeyPatch, seconds: int, light: str | None
) -> None:
    moved = timezone.now() + timedelta(seconds=seconds)
    monkeypatch.setattr("ops.doctor.timezone.now", lambda: moved)
    assert doctor.check_clock()[0] == (light or "ok")
