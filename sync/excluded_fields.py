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
from sync.models import Cursor, LeftOut, PatientChange, RefusedPayload
from sync.resources import BY_NAME, PATIENTS, Resource
from sync.signals import fields_left_out
from sync.walk import lease, reconcile
from tenants import registry


@dataclass(frozen=True)
class Kept:
    """How one group stands: `kept`, `left_out`, or `coming_back` while records are read anew; since when, if chosen."""

    group: FieldGroup
    state: str
    since: datetime | None = None

    @property
    def is_left_out(self) -> bool:
        return self.state == "left_out"


def by_group() -> tuple[Kept, ...]:
    """How each group stands, in the order of the table."""
    rows = LeftOut.objects.values_list("group_name", "coming_back", "since")
    chosen = {group: ("coming_back" if coming_back else "left_out", since) for group, coming_back, since in rows}
    return tuple(Kept(group, *chosen.get(group.name, ("kept",))) for group in FIELD_GROUPS)


def left_out() -> list[FieldGroup]:
    """The groups that the clinic chose not to keep."""
    return [each.group for each in by_group() if each.is_left_out]


def leaves_out(name: str) -> bool:
    """Whether the clinic chose not to keep this group."""
    return LeftOut.objects.filter(group_name=name, coming_back=False).exists()


def leave_out(group: FieldGroup, *, by: Actor) -> bool:
    """Keep these fields no longer, and remove what is here of them, changes and refused payloads too. False when they
    were left out already. Raises NotRecorded."""
    with transaction.atomic():
        connection_state.hold()
        if leaves_out(group.name):
            return False
        LeftOut.objects.bulk_create(
            (
                LeftOut(resource=resource.name, field=field, group_name=group.name)
                for resource, fields in _fields(group)
                for field in fields
            ),
            update_conflicts=True,
            unique_fields=["resource", "field"],
            update_fields=["group_name", "since", "coming_back"],
        )
        for resource, fields in _fields(group):
            _remove(resource, fields)
        fields_left_out.send(sender=LeftOut)
        record(Action.SETTINGS_CHANGED, by=by, no_longer_stored=group.label)
    return True


def keep_again(group: FieldGroup, *, by: Actor) -> bool:
    """Keep these fields again, and have all records read anew; what is here of them stays on the screens meanwhile.
    False when they were not left out. Raises NotRecorded."""
    with transaction.atomic():
        connection_state.hold()
        rows = LeftOut.objects.filter(group_name=group.name, coming_back=False)
        if not rows.exists():
            return False
        for resource, _ in _fields(group):
            of_resource = rows.filter(resource=resource.name)
            if resource.model._default_manager.exists():
                of_resource.update(coming_back=True, since=timezone.now())
                _read_anew(resource)
            else:
                of_resource.delete()
        registry.be_due()
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


def _read_anew(resource: Resource) -> None:
    """A comparison reads every record and writes what differs. Hidden records that have lists of their own are read
    from these, from the beginning; a worker under way with one would save where it stands, so it loses its lease."""
    reconcile.want(resource)
    apart = [f"{resource.name}/{name.removesuffix('_at')}" for name in resource.hidden]
    anew = {"imported_at": None, "after_id": "", "cursor": None, "position": None, "walk_clock": None}
    if Cursor.objects.filter(resource__in=apart).update(**anew, due_at=timezone.now()):
        lease.take_away()
