"""Write to the audit log and verify its hash chain."""

from dataclasses import dataclass
from typing import Protocol

import structlog
from django.db import DatabaseError, connection

from audit.models import Action, Event

__all__ = ["OPS", "Action", "Actor", "AuditUnavailable", "ChainCheck", "record", "verify_chain"]


class Actor(Protocol):
    """A user, or a Sidechart operator. Operators have no row in the clinic's schema, so their `pk` there is None."""

    @property
    def pk(self) -> int | None: ...

    @property
    def email(self) -> str: ...


@dataclass(frozen=True)
class OperatorActor:
    """A Sidechart operator, as a clinic's log names them."""

    pk: int | None = None
    email: str = "ops"


OPS = OperatorActor()


class AuditUnavailable(Exception):
    """The audit log can't be written, so the action it would have recorded must not happen."""


def record(action: Action, *, by: Actor, patient_id: str = "", **details: str | int) -> Event:
    """Add an event to the audit log of the current schema. Raises AuditUnavailable.

    Call it last in a transaction: from here until the commit, other writers to this log wait. Pages and exports show
    `details`: short texts, no patient data, no secrets.
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
        raise AuditUnavailable("The access log can't be written.") from failure


@dataclass(frozen=True)
class ChainCheck:
    """The number of events, the last one's digest ("" for none), and the id of the first event that was changed,
    removed or inserted (None: the chain is valid)."""

    length: int
    head: str
    broken_at: int | None


def verify_chain(*, known_length: int = 0, known_head: str = "") -> ChainCheck:
    """Recompute every digest of the current schema's log.

    `known_length` and `known_head` come from an earlier check. Only they reveal that events were cut off the end.
    """
    with connection.cursor() as cursor:
        cursor.execute(VERIFY_CHAIN)
        length, head, broken_at = cursor.fetchone()
        cursor.execute("SELECT digest FROM audit_event WHERE id = %s", [known_length])
        known = cursor.fetchone()
    if known_length and (known is None or known[0] != known_head):
        broken_at = min(broken_at or known_length, known_length)
    return ChainCheck(length, head, broken_at)


VERIFY_CHAIN = """
    WITH events AS (
        SELECT id, digest, row_number() OVER chain AS number, lag(digest, 1, '') OVER chain AS before,
            previous, audit_digest(event) AS computed
        FROM audit_event AS event WINDOW chain AS (ORDER BY id)
    )
    SELECT count(*), coalesce((SELECT digest FROM audit_event ORDER BY id DESC LIMIT 1), ''),
        min(number) FILTER (WHERE id <> number OR previous <> before OR digest <> computed)
    FROM events
"""
