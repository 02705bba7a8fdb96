"""Which groups of Cliniko's fields the clinic chose not to store. sync/walk/store.py applies the choice to every write.

`exclude` and `include` lock the connection's row, as every write does. A write under way is committed before the choice
and cleaned up with the rest, or it comes after and finds the choice.
"""

import json
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
    """`state` is `stored`, `excluded`, or `restoring` while records are read again; `since` is when it was chosen."""

    group: FieldGroup
    state: str
    since: datetime | None = None

    @property
    def is_excluded(self) -> bool:
        return self.state == "excluded"


def by_group() -> tuple[GroupStatus, ...]:
    """Return the status of each group, in the order of FIELD_GROUPS."""
    rows = ExcludedField.objects.values_list("group_name", "restoring", "since")
    chosen = {group: ("restoring" if restoring else "excluded", since) for group, restoring, since in rows}
    return tuple(GroupStatus(group, *chosen.get(group.name, ("stored",))) for group in FIELD_GROUPS)


def excluded_groups() -> list[FieldGroup]:
    return [each.group for each in by_group() if each.is_excluded]


def is_excluded(name: str) -> bool:
    return ExcludedField.objects.filter(group_name=name, restoring=False).exists()


def exclude(group: FieldGroup, *, by: Actor) -> bool:
    """Stop storing these fields, and remove them from mirror, recorded changes and refused payloads. Returns False if
    they were already excluded. Raises AuditUnavailable."""
    with transaction.atomic():
        connection_state.lock()
        if is_excluded(group.name):
            return False
        ExcludedField.objects.bulk_create(
            (
                ExcludedField(resource=name, field=field, group_name=group.name)
                for name, fields in group.fields.items()
                for field in fields
            ),
            update_conflicts=True,
            unique_fields=["resource", "field"],
            update_fields=["group_name", "since", "restoring"],
        )
        for name, fields in group.fields.items():
            _remove(BY_NAME[name], list(fields))
        fields_excluded.send(sender=ExcludedField)
        record(Action.SETTINGS_CHANGED, by=by, no_longer_stored=group.label)
    return True


def include(group: FieldGroup, *, by: Actor) -> bool:
    """Store these fields again and read all records again; patients stay visible in the meantime. Returns False if the
    fields weren't excluded. Raises AuditUnavailable."""
    with transaction.atomic():
        connection_state.lock()
        rows = ExcludedField.objects.filter(group_name=group.name, restoring=False)
        if not rows.exists():
            return False
        for resource in map(BY_NAME.__getitem__, group.fields):
            of_resource = rows.filter(resource=resource.name)
            if resource.model._default_manager.exists():
                of_resource.update(restoring=True, since=timezone.now())
                _read_again(resource)
            else:
                of_resource.delete()
        registry.mark_due()
        record(Action.SETTINGS_CHANGED, by=by, stored_again=group.label)
    return True


def _remove(resource: Resource, fields: list[str]) -> None:
    table = database.ops.quote_name(resource.model._meta.db_table)
    with database.cursor() as cursor:
        cursor.execute("SELECT set_config('sidechart.removing', 'yes', true)")  # the trigger records no change
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
    """Request a comparison, which reads every record and writes what differs. Archived and cancelled records with their
    own list are imported again; a worker walking it would save its old position, so its lease is revoked."""
    reconcile.request_comparison(resource)
    subsets = [f"{resource.name}/{name.removesuffix('_at')}" for name in resource.hidden]
    restart = {"imported_at": None, "after_id": "", "cursor": None, "position": None, "walk_clock": None}
    if Cursor.objects.filter(resource__in=subsets).update(**restart, due_at=timezone.now()):
        lease.revoke()
