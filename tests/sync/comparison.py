"""What Cliniko holds and what the mirror shows of it, in one form, to be compared."""

from typing import Any

from sandbox.cliniko.api.serializers import serialize
from sandbox.cliniko.store import Store
from sync.cliniko.payloads import timestamp
from sync.models import ExcludedField
from sync.resources import RESOURCES, Resource

COMPARED = ("payload", "archived_at", "cancelled_at", "merged_into", "patient_id")
Seen = dict[str, dict[str, Any]]


def in_cliniko(store: Store, account: str, resource: Resource, base: str) -> Seen:
    """By id, every record that is not deleted, archived and cancelled ones included, without the fields that the clinic
    chose not to keep."""
    seen = {}
    left_out = ExcludedField.objects.filter(resource=resource.name, restoring=False)
    fields = set(left_out.values_list("field", flat=True))
    for record in store.all(account, resource.name):
        payload = {name: told for name, told in serialize(record, base).items() if name not in fields}
        seen[str(record.id)] = {
            "payload": payload,
            "archived_at": timestamp(payload, "archived_at"),
            "cancelled_at": timestamp(payload, "cancelled_at"),
            "merged_into": record.body.get("merged_with_patient"),
            "patient_id": str(record.patient_id or ""),
        }
    return seen


def in_mirror(resource: Resource) -> Seen:
    """By id, every row that is shown, as far as its table has these columns."""
    names = {field.name for field in resource.model._meta.get_fields()}
    columns = [name for name in COMPARED if name in names]
    rows = resource.model._default_manager.filter(deleted_at=None)
    return {row.cliniko_id: {name: getattr(row, name) for name in columns} for row in rows}


def differences(store: Store, account: str, base: str) -> list[str]:
    """One line for each record that the mirror lacks, shows though it is gone, or shows as it is not."""
    found = []
    for resource in RESOURCES:
        theirs, ours = in_cliniko(store, account, resource, base), in_mirror(resource)
        found += [f"{resource.name}/{each} is missing" for each in theirs.keys() - ours.keys()]
        found += [f"{resource.name}/{each} is shown though it is gone" for each in ours.keys() - theirs.keys()]
        for each in theirs.keys() & ours.keys():
            for name, value in ours[each].items():
                if value != theirs[each][name]:
                    found.append(f"{resource.name}/{each} has {name} {value!r}, not {theirs[each][name]!r}")
    return sorted(found)
