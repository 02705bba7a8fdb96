"""Update the current clinic's row in public, which is not on the search path inside a clinic."""

from django.db import connection

from tenants.context import current_clinic
from tenants.models import Clinic


def mark_due() -> None:
    """Mark the current clinic as due for sync."""
    _update("sync_due_at = clock_timestamp()")


def set_name(name: str) -> None:
    """Set the clinic's name as it is in Cliniko, cut to 200 characters. A blank name changes nothing."""
    _update("name = coalesce(nullif(left(%s, 200), ''), name)", name.strip())


def mark_connected(name: str) -> None:
    """Set the clinic's name as it is in Cliniko, and make a clinic in setup active."""
    set_name(name)
    _update(
        "state = %s, state_since = clock_timestamp()",
        Clinic.State.ACTIVE,
        condition="state = %s",
        condition_values=[Clinic.State.SETUP],
    )


def set_key_state(key_state: str) -> None:
    """Set the copy of the API key's state for lists and metrics of all clinics."""
    _update("key_state = %s", key_state)


def _update(assignments: str, *values: str, condition: str = "true", condition_values: list[str] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE public.tenants_clinic SET {assignments} WHERE schema_name = %s AND {condition}",  # noqa: S608 - no user input
            [*values, current_clinic().schema_name, *(condition_values or [])],
        )
