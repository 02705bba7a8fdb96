"""The stored key under other circumstances: other sealing keys, another schema, or gone."""

from django.conf import settings
from django.utils import timezone

from sync.models import Connection
from sync.sealing import KeyCannotBeOpened, seal, unseal
from tenants.context import current_clinic


def seal_again(*, sealed_in: str | None = None) -> bool:
    """Seal the stored key of the clinic we are inside of with the first of our keys. False when it does not open: it
    stays as it is, and somebody has to enter it again.

    `sealed_in` is the schema that it was sealed in, when that is another one: after a restore. Inside a transaction.
    """
    held = Connection.objects.select_for_update().filter(id=1).exclude(sealed_key="").first()
    if held is None:
        return True
    here = current_clinic().schema_name
    try:
        key = unseal(held.sealed_key, clinic=sealed_in or here, keys=settings.SEALING_KEYS)
    except KeyCannotBeOpened:
        return False
    held.sealed_key = seal(key, clinic=here, keys=settings.SEALING_KEYS)
    held.save(update_fields=["sealed_key"])
    return True


def forget_key() -> None:
    """The clinic we are inside of has no key until somebody enters one. Which account it is mirrored from stays."""
    Connection.objects.filter(id=1).update(
        sealed_key="",
        key_last4="",
        key_state=Connection.KeyState.MISSING,
        state=Connection.State.NO_KEY,
        state_since=timezone.now(),
        resume_at=None,
    )
