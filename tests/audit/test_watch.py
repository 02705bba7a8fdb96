"""Every night each clinic's log is checked against what was noted before, and one that was rewritten is told."""

from collections.abc import Callable

import pytest

from accounts.models import User
from audit import log, tasks
from audit.log import OPS, Action, record
from tenants.context import clinic_context
from tenants.database import connection
from tenants.models import Clinic
from tests.audit.tampering import behind_our_back
from tests.project.test_logs import events


@pytest.fixture
def logs(staff_member: Callable[..., User], bondi: Clinic, harbour: Clinic) -> None:
    """Two lines at bondi, one at harbour; both were checked."""
    robin = staff_member("bondi")
    for label, count in (("bondi", 2), ("harbour", 1)):
        with clinic_context(label):
            for _ in range(count):
                record(Action.SEARCHED, by=robin)
    for clinic in (bondi, harbour):
        tasks.check_clinic(schema_name=clinic.schema_name)
        clinic.refresh_from_db()


def noted(clinic: Clinic) -> tuple[int, str, int | None]:
    clinic.refresh_from_db()
    return clinic.audit_length, clinic.audit_head, clinic.audit_broken_at


def test_what_a_check_found_is_noted_on_public_and_in_our_logs(
    logs: None, bondi: Clinic, harbour: Clinic, caplog: pytest.LogCaptureFixture
) -> None:
    assert (bondi.audit_length, harbour.audit_length) == (2, 1)
    assert len(bondi.audit_head) == 64
    assert bondi.audit_head != harbour.audit_head
    with caplog.at_level("INFO"):
        tasks.check_clinic(schema_name=bondi.schema_name)
    (line,) = events(caplog, "audit_chain_held")
    assert (line["clinic"], line["length"], line["head"]) == ("bondi", 2, bondi.audit_head)


def test_a_log_that_went_on_is_noted_anew(logs: None, bondi: Clinic, staff_member: Callable[..., User]) -> None:
    robin, before = staff_member("bondi"), noted(bondi)
    with clinic_context("bondi"):
        record(Action.SEARCHED, by=robin)
    tasks.check_clinic(schema_name=bondi.schema_name)
    length, head, broken_at = noted(bondi)
    assert (length, broken_at) == (3, None)
    assert head != before[1]


@pytest.mark.parametrize(
    ("statement", "line"),
    [("UPDATE audit_event SET user_email = '' WHERE id = 1", 1), ("DELETE FROM audit_event WHERE id = 2", 2)],
)
def test_a_log_that_was_rewritten_is_an_error_and_what_was_noted_stays(
    logs: None, bondi: Clinic, harbour: Clinic, caplog: pytest.LogCaptureFixture, statement: str, line: int
) -> None:
    before, theirs = noted(bondi), noted(harbour)
    with clinic_context("bondi"):
        behind_our_back(statement)
    for clinic in (bondi, harbour, bondi):
        tasks.check_clinic(schema_name=clinic.schema_name)
    assert noted(bondi) == (*before[:2], line)
    assert noted(harbour) == theirs
    told = events(caplog, "audit_chain_broken")
    assert [(each["clinic"], each["line"]) for each in told] == [("bondi", line)] * 2


def test_the_nightly_task_sends_a_short_message_for_each_clinic_that_is_not_purged(
    bondi: Clinic, harbour: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(state=Clinic.State.SUSPENDED)
    Clinic.objects.filter(pk=harbour.pk).update(state=Clinic.State.PURGED)
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(tasks.check_clinic, "apply_async", lambda kwargs, **_: sent.append(kwargs))
    tasks.check()
    assert sent == [{"schema_name": bondi.schema_name}]


def test_a_message_without_a_clinic_or_for_one_that_is_gone_does_nothing(db: None) -> None:
    tasks.check_clinic(schema_name="clinic_0000000000000000")
    assert connection.schema_name == "public"
    with pytest.raises(TypeError):
        tasks.check_clinic()  # type: ignore[call-arg]


def test_a_clinic_that_was_restored_while_its_former_log_was_checked_is_not_noted_with_that_log(
    logs: None, bondi: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = "schema_name = 'clinic_00000000000000ff', audit_length = 1, audit_head = 'of the log it has now'"

    def is_restored_meanwhile(*, known_length: int, known_head: str) -> log.ChainCheck:
        chain = log.verify_chain(known_length=known_length, known_head=known_head)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE public.tenants_clinic SET {switch} WHERE id = %s", [bondi.pk])  # noqa: S608 - ours
        return chain

    monkeypatch.setattr("audit.verification.verify_chain", is_restored_meanwhile)
    tasks.check_clinic(schema_name=bondi.schema_name)
    assert noted(bondi) == (1, "of the log it has now", None)


def test_the_log_of_ops_is_checked_every_night_too(bondi: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        record(Action.INVITED, by=OPS, whom="ana@sidechart.example")
    with caplog.at_level("INFO"):
        tasks.check()
        behind_our_back("UPDATE audit_event SET user_email = '' WHERE id = 1")
        tasks.check()
    (held,), (broken,) = events(caplog, "audit_chain_held"), events(caplog, "audit_chain_broken")
    assert (held["clinic"], held["length"]) == ("", 2)
    assert (broken["clinic"], broken["line"]) == ("", 1)
