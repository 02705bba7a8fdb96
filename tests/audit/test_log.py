"""The audit log is append-only, and its hash chain reveals changed, removed and inserted events."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts.models import User
from audit.log import VERIFY_CHAIN, Action, AuditUnavailable, ChainCheck, record, verify_chain
from audit.models import Event
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.audit.tampering import tamper

CHAIN = import_module("audit.migrations.0001_initial").CHAIN


@pytest.fixture
def robin(staff_member: Callable[..., User]) -> User:
    staff_member("harbour")
    return staff_member("bondi")


@pytest.fixture
def three_events(robin: User) -> Iterator[None]:
    """Three events at bondi, one at harbour; the test runs in bondi's schema."""
    with clinic_context("harbour"):
        record(Action.VIEWED, by=robin, patient_id="42")
    with clinic_context("bondi"):
        record(Action.VIEWED, by=robin, patient_id="42")
        record(Action.SEARCHED, by=robin)
        record(Action.ROLE_CHANGED, by=robin, person="alex@clinic.example", role="admin")
        yield


def test_each_clinic_numbers_its_events_from_one(three_events: None) -> None:
    assert list(Event.objects.order_by("id").values_list("id", "action")) == [
        (1, "viewed"),
        (2, "searched"),
        (3, "role_changed"),
    ]
    assert Event.objects.get(id=3).details == {"person": "alex@clinic.example", "role": "admin"}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_event SET user_email = 'nobody'", "DELETE FROM audit_event WHERE id = 3", "TRUNCATE audit_event"],
)
def test_an_event_cannot_be_changed_or_deleted(three_events: None, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert verify_chain().length == 3


def test_an_untouched_log_is_valid(three_events: None) -> None:
    last = Event.objects.get(id=3)
    assert verify_chain() == ChainCheck(length=3, head=last.digest, broken_at=None)


def test_an_empty_log_is_valid(bondi: Clinic) -> None:
    with clinic_context("bondi"):
        assert verify_chain() == ChainCheck(length=0, head="", broken_at=None)


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit_event SET user_email = 'nobody@clinic.example' WHERE id = 2", 2),
        ("UPDATE audit_event SET patient_id = '43' WHERE id = 1", 1),
        ("UPDATE audit_event SET details = '{}' WHERE id = 3", 3),
        ("UPDATE audit_event SET occurred_at = occurred_at - interval '1 day' WHERE id = 2", 2),
        ("DELETE FROM audit_event WHERE id = 1", 1),
        ("DELETE FROM audit_event WHERE id = 2", 2),
        ("UPDATE audit_event SET previous = '', digest = audit_digest(audit_event) WHERE id = 2", 2),
    ],
)
def test_a_tampered_event_breaks_the_chain(three_events: None, statement: str, broken_at: int) -> None:
    tamper(statement)
    assert verify_chain().broken_at == broken_at


def test_events_cut_off_the_end_break_the_known_chain(three_events: None) -> None:
    before = verify_chain()
    tamper("DELETE FROM audit_event WHERE id = 3")
    assert verify_chain().broken_at is None
    assert verify_chain(known_length=before.length, known_head=before.head).broken_at == 3


def test_a_log_that_grew_since_the_last_check_is_valid(three_events: None, robin: User) -> None:
    before = verify_chain()
    record(Action.SEARCHED, by=robin)
    assert verify_chain(known_length=before.length, known_head=before.head).broken_at is None


def test_an_event_that_cannot_be_written_raises(three_events: None, robin: User) -> None:
    with pytest.raises(AuditUnavailable), transaction.atomic():
        record(Action.VIEWED, by=robin, patient_id="not an id")


def execute_and_commit(*statements: str) -> list[tuple[object, ...]]:
    """Run the statements on a connection that really commits, in its own thread. Returns the last one's rows."""
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@pytest.fixture
def committed_log(bondi: Clinic) -> Iterator[str]:
    """The name of a schema with an audit log of its own, dropped after the test."""
    schema = "audit_race"
    table = f"CREATE TABLE audit_event (LIKE {bondi.schema_name}.audit_event INCLUDING DEFAULTS INCLUDING INDEXES)"
    with ThreadPoolExecutor(1) as one:
        one.submit(execute_and_commit, f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}").result()
        one.submit(execute_and_commit, f"SET search_path = {schema}; {table}; {CHAIN}").result()
        yield schema
        one.submit(execute_and_commit, f"DROP SCHEMA {schema} CASCADE").result()


def test_eight_concurrent_writers_make_one_chain(committed_log: str) -> None:
    enter = f"SET search_path = {committed_log}"
    insert = (
        "INSERT INTO audit_event (user_id, user_email, action, patient_id, details, request_id, previous, digest)"
        " VALUES (1, '', 'viewed', '', '{}', '', '', '')"
    )
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda _: execute_and_commit(enter, *[insert] * 20), range(8)))
        [(length, _, broken_at)] = writers.submit(execute_and_commit, enter, VERIFY_CHAIN).result()
    assert (length, broken_at) == (160, None)
