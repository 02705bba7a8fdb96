"""Log sign-in changes and notify the user, in case it wasn't them."""

from django.db import transaction

from accounts.models import User, schema_name
from accounts.tasks import send_sign_in_changed
from audit.log import Action, record


def log_sign_in_change(action: Action, user: User, kind: str, **details: str) -> None:
    """Record a user's change to their own password or second factor, and email them after the commit.

    Call it in the transaction of the change. Raises AuditUnavailable.
    """
    event = record(action, by=user, kind=kind, **details)
    schema = schema_name()
    # robust: the change stays if the broker is down
    transaction.on_commit(lambda: send_sign_in_changed.delay(schema_name=schema, event_id=event.pk), robust=True)
