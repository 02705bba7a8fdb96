"""What a clinic may write about itself on public, from inside its door, where public is not on the search path."""

from django.db import connection

from tenants.context import current_clinic
from tenants.models import Clinic


def mark_due() -> None:
    """Have the clinic we are inside of synced at the next tick."""
    _update("sync_due_at = clock_timestamp()")


def set_name(name: str) -> None:
    """The clinic has the name that it has in Cliniko, where it has one there."""
    _update("name = coalesce(nullif(left(%s, 200), ''), name)", name.strip())


def mark_connected(name: str) -> None:
    """The clinic has the name that it has in Cliniko; one that was being set up works from now on."""
    set_name(name)
    _update(
        "state = %s, state_since = clock_timestamp()",
        Clinic.State.ACTIVE,
        condition="state = %s",
        condition_values=[Clinic.State.SETUP],
    )


def set_key_state(key_state: str) -> None:
    """How the key of the clinic we are inside of stands, for whoever looks at all clinics."""
    _update("key_state = %s", key_state)


def _update(assignments: str, *values: str, condition: str = "true", condition_values: list[str] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE public.tenants_clinic SET {assignments} WHERE schema_name = %s AND {condition}",  # noqa: S608 - our own words
            [*values, current_clinic().schema_name, *(condition_values or [])],
        )
