"""Writing to the clinic's log, and checking that nobody has rewritten it."""

from dataclasses import dataclass
from typing import Protocol

import structlog
from django.db import DatabaseError, connection

from audit.models import Action, Event

__all__ = ["OPS", "Action", "Actor", "AuditUnavailable", "ChainCheck", "record", "verify_chain"]


class Actor(Protocol):
    """Whoever does something: a member of staff, or ops, who have no row at the clinic and so no `pk`."""

    @property
    def pk(self) -> int | None: ...

    @property
    def email(self) -> str: ...


@dataclass(frozen=True)
class OperatorActor:
    """We, who look after the clinics."""

    pk: int | None = None
    email: str = "ops"


OPS = OperatorActor()


class AuditUnavailable(Exception):
    """The log cannot be written, so what was to be recorded must not happen."""


def record(action: Action, *, by: Actor, patient_id: str = "", **details: str | int) -> Event:
    """Add a line to the log of the clinic we are inside of. Raises AuditUnavailable.

    Inside a transaction the log is held until that ends, so write the line last. `details` go on pages and into
    exports: short texts, nothing of a patient, no secret.
    """
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    try:
        return Event.objects.create(
            user_id=by.pk,
            user_email=by.email,
            action=action,
            patient_id=patient_id,
            details=details,
            request_id=request_id,
        )
    except DatabaseError as failure:
        raise AuditUnavailable("The access log cannot be written.") from failure


@dataclass(frozen=True)
class ChainCheck:
    """What a check found: so many lines, the digest of the last one ("" for none), and where the first line is that was
    changed, removed or put in (None when all is as it was written)."""

    length: int
    head: str
    broken_at: int | None


def verify_chain(*, known_length: int = 0, known_head: str = "") -> ChainCheck:
    """Read the whole log again, digest by digest. `known_length` and `known_head` are what an earlier check found:
    lines that were cut off at the end show by them alone."""
    with connection.cursor() as cursor:
        cursor.execute(VERIFY_CHAIN)
        length, head, broken_at = cursor.fetchone()
        cursor.execute("SELECT digest FROM audit_event WHERE id = %s", [known_length])
        held = cursor.fetchone()
    if known_length and (held is None or held[0] != known_head):
        broken_at = min(broken_at or known_length, known_length)
    return ChainCheck(length, head, broken_at)


VERIFY_CHAIN = """
    WITH lines AS (
        SELECT id, digest, row_number() OVER line AS number, lag(digest, 1, '') OVER line AS before,
            previous, audit_digest(event) AS computed
        FROM audit_event AS event WINDOW line AS (ORDER BY id)
    )
    SELECT count(*), coalesce((SELECT digest FROM audit_event ORDER BY id DESC LIMIT 1), ''),
        min(number) FILTER (WHERE id <> number OR previous <> before OR digest <> computed)
    FROM lines
"""
