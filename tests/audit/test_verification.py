"""The nightly check of every audit log against the last check's result."""

from collections.abc import Callable

import pytest

from accounts.models import User
from audit import log, tasks
from audit.log import OPS, Action, record
from tenants.context import clinic_context
from tenants.database import connection
from tenants.models import Clinic
from tests.audit.tampering import tamper
from tests.project.test_logs import events


@pytest.fixture
def logs(staff_member: Callable[..., User], bondi: Clinic, harbour: Clinic) -> None:
    """Two events at bondi, one at harbour; both logs are checked."""
    robin = staff_member("bondi")
    for label, count in (("bondi", 2), ("harbour", 1)):
        with clinic_context(label):
            for _ in range(count):
                record(Action.SEARCHED, by=robin)
    for clinic in (bondi, harbour):
        tasks.check_clinic(schema_name=clinic.schema_name)
        clinic.refresh_from_db()


def recorded(clinic: Clinic) -> tuple[int, str, int | None]:
    clinic.refresh_from_db()
    return clinic.audit_length, clinic.audit_head, clinic.audit_broken_at


def test_a_check_records_its_result_in_public_and_in_the_process_logs(
    logs: None, bondi: Clinic, harbour: Clinic, caplog: pytest.LogCaptureFixture
) -> None:
    assert (bondi.audit_length, harbour.audit_length) == (2, 1)
    assert len(bondi.audit_head) == 64
    assert bondi.audit_head != harbour.audit_head
    with caplog.at_level("INFO"):
        tasks.check_clinic(schema_name=bondi.schema_name)
    (line,) = events(caplog, "audit_chain_valid")
    assert (line["clinic"], line["length"], line["head"]) == ("bondi", 2, bondi.audit_head)


def test_a_log_that_grew_is_recorded_again(logs: None, bondi: Clinic, staff_member: Callable[..., User]) -> None:
    robin, before = staff_member("bondi"), recorded(bondi)
    with clinic_context("bondi"):
        record(Action.SEARCHED, by=robin)
    tasks.check_clinic(schema_name=bondi.schema_name)
    length, head, broken_at = recorded(bondi)
    assert (length, broken_at) == (3, None)
    assert head != before[1]


@pytest.mark.parametrize(
    ("statement", "event_id"),
    [("UPDATE audit_event SET user_email = '' WHERE id = 1", 1), ("DELETE FROM audit_event WHERE id = 2", 2)],
)
def test_a_tampered_log_is_an_error_and_keeps_the_recorded_head(
    logs: None, bondi: Clinic, harbour: Clinic, caplog: pytest.LogCaptureFixture, statement: str, event_id: int
) -> None:
    before, harbour_before = recorded(bondi), recorded(harbour)
    with clinic_context("bondi"):
        tamper(statement)
    for clinic in (bondi, harbour, bondi):
        tasks.check_clinic(schema_name=clinic.schema_name)
    assert recorded(bondi) == (*before[:2], event_id)
    assert recorded(harbour) == harbour_before
    errors = events(caplog, "audit_chain_broken")
    assert [(error["clinic"], error["event_id"]) for error in errors] == [("bondi", event_id)] * 2


def test_the_nightly_task_queues_a_check_of_every_clinic_except_purged_ones(
    bondi: Clinic, harbour: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(state=Clinic.State.SUSPENDED)
    Clinic.objects.filter(pk=harbour.pk).update(state=Clinic.State.PURGED)
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(tasks.check_clinic, "apply_async", lambda kwargs, **_: sent.append(kwargs))
    tasks.check()
    assert sent == [{"schema_name": bondi.schema_name}]


def test_a_task_without_a_clinic_or_for_a_purged_one_does_nothing(db: None) -> None:
    tasks.check_clinic(schema_name="clinic_0000000000000000")
    assert connection.schema_name == "public"
    with pytest.raises(TypeError):
        tasks.check_clinic()  # type: ignore[call-arg]


def test_a_check_of_the_old_schema_is_discarded_when_the_clinic_verify_then_restore(
    logs: None, bondi: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = "schema_name = 'clinic_00000000000000ff', audit_length = 1, audit_head = 'of the restored log'"

    def verify_then_restore(*, known_length: int, known_head: str) -> log.ChainCheck:
        chain = log.verify_chain(known_length=known_length, known_head=known_head)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE public.tenants_clinic SET {switch} WHERE id = %s", [bondi.pk])  # noqa: S608 - ours
        return chain

    monkeypatch.setattr("audit.verification.verify_chain", verify_then_restore)
    tasks.check_clinic(schema_name=bondi.schema_name)
    assert recorded(bondi) == (1, "of the restored log", None)


def test_the_operators_log_is_checked_every_night(bondi: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        record(Action.INVITED, by=OPS, person="ana@sidechart.example")
    with caplog.at_level("INFO"):
        tasks.check()
        tamper("UPDATE audit_event SET user_email = '' WHERE id = 1")
        tasks.check()
    (valid,), (broken,) = events(caplog, "audit_chain_valid"), events(caplog, "audit_chain_broken")
    assert (valid["clinic"], valid["length"]) == ("", 2)
    assert (broken["clinic"], broken["event_id"]) == ("", 1)
