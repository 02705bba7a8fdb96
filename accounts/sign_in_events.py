"""A change to how somebody signs in: a line of the log, and a mail to them, as it may not have been them."""

from django.db import transaction

from accounts.models import User, schema_name
from accounts.tasks import send_sign_in_changed
from audit.log import Action, record


def log_sign_in_change(action: Action, person: User, kind: str, **details: str) -> None:
    """Log what `person` did to a password or second factor of their own, and notify them. Raises AuditUnavailable: call
    it in the transaction of the change."""
    event = record(action, by=person, kind=kind, **details)
    clinic = schema_name()

    def tell() -> None:
        send_sign_in_changed.delay(schema_name=clinic, event_id=event.pk)

    transaction.on_commit(tell, robust=True)  # a broker that is away undoes nothing
