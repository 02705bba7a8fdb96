"""Choosing which groups of Cliniko's fields the clinic keeps. sync/walk/store.py obeys, at every write.

Both choices hold the connection's row, as every write does: a page under way is written before, and is cleaned with the
rest; or after, and is stripped by the choice that it finds.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from audit.log import Action, Actor, record
from sync.connection import state as connection_state
from sync.field_groups import FIELD_GROUPS, FieldGroup
from sync.models import Cursor, ExcludedField, PatientChange, RefusedPayload
from sync.resources import BY_NAME, PATIENTS, Resource
from sync.signals import fields_excluded
from sync.walk import lease, reconcile
from tenants import registry


@dataclass(frozen=True)
class GroupStatus:
    """How one group stands: `kept`, `left_out`, or `restoring` while records are read anew; since when, if chosen."""

    group: FieldGroup
    state: str
    since: datetime | None = None

    @property
    def is_excluded(self) -> bool:
        return self.state == "left_out"


def by_group() -> tuple[GroupStatus, ...]:
    """How each group stands, in the order of the table."""
    rows = ExcludedField.objects.values_list("group_name", "restoring", "since")
    chosen = {group: ("restoring" if restoring else "left_out", since) for group, restoring, since in rows}
    return tuple(GroupStatus(group, *chosen.get(group.name, ("kept",))) for group in FIELD_GROUPS)


def excluded_groups() -> list[FieldGroup]:
    """The groups that the clinic chose not to keep."""
    return [each.group for each in by_group() if each.is_excluded]


def is_excluded(name: str) -> bool:
    """Whether the clinic chose not to keep this group."""
    return ExcludedField.objects.filter(group_name=name, restoring=False).exists()


def exclude(group: FieldGroup, *, by: Actor) -> bool:
    """Keep these fields no longer, and remove what is here of them, changes and refused payloads too. False when they
    were left out already. Raises AuditUnavailable."""
    with transaction.atomic():
        connection_state.lock()
        if is_excluded(group.name):
            return False
        ExcludedField.objects.bulk_create(
            (
                ExcludedField(resource=resource.name, field=field, group_name=group.name)
                for resource, fields in _fields(group)
                for field in fields
            ),
            update_conflicts=True,
            unique_fields=["resource", "field"],
            update_fields=["group_name", "since", "restoring"],
        )
        for resource, fields in _fields(group):
            _remove(resource, fields)
        fields_excluded.send(sender=ExcludedField)
        record(Action.SETTINGS_CHANGED, by=by, no_longer_stored=group.label)
    return True


def include(group: FieldGroup, *, by: Actor) -> bool:
    """Keep these fields again, and have all records read anew; what is here of them stays on the screens meanwhile.
    False when they were not left out. Raises AuditUnavailable."""
    with transaction.atomic():
        connection_state.lock()
        rows = ExcludedField.objects.filter(group_name=group.name, restoring=False)
        if not rows.exists():
            return False
        for resource, _ in _fields(group):
            of_resource = rows.filter(resource=resource.name)
            if resource.model._default_manager.exists():
                of_resource.update(restoring=True, since=timezone.now())
                _read_again(resource)
            else:
                of_resource.delete()
        registry.mark_due()
        record(Action.SETTINGS_CHANGED, by=by, stored_again=group.label)
    return True


def _fields(group: FieldGroup) -> Iterator[tuple[Resource, list[str]]]:
    for name, fields in group.fields.items():
        yield BY_NAME[name], list(fields)


def _remove(resource: Resource, fields: list[str]) -> None:
    table = database.ops.quote_name(resource.model._meta.db_table)
    with database.cursor() as cursor:
        cursor.execute("SELECT set_config('sidechart.removing', 'yes', true)")  # this is no change of Cliniko's to note
        cursor.execute(
            f"UPDATE {table} SET payload = payload - %(fields)s::text[] WHERE payload ?| %(fields)s::text[]",  # noqa: S608 - our own table
            {"fields": fields},
        )
        cursor.execute("SELECT set_config('sidechart.removing', 'no', true)")
    if resource is PATIENTS:
        PatientChange.objects.filter(field__in=fields).delete()
    for refused in RefusedPayload.objects.filter(resource=resource.name):
        payload = {name: value for name, value in json.loads(refused.payload).items() if name not in fields}
        RefusedPayload.objects.filter(pk=refused.pk).update(payload=json.dumps(payload))


def _read_again(resource: Resource) -> None:
    """A comparison reads every record and writes what differs. Hidden records that have lists of their own are read
    from these, from the beginning; a worker under way with one would save where it stands, so it loses its lease."""
    reconcile.request_comparison(resource)
    apart = [f"{resource.name}/{name.removesuffix('_at')}" for name in resource.hidden]
    anew = {"imported_at": None, "after_id": "", "cursor": None, "position": None, "walk_clock": None}
    if Cursor.objects.filter(resource__in=apart).update(**anew, due_at=timezone.now()):
        lease.revoke()
