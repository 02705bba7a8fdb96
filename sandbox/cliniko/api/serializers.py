"""Records as JSON: ids as strings, other records as links."""

from typing import Any

from sandbox.cliniko.data.records import Record
from sandbox.cliniko.data.resources import RESOURCES


def serialize(record: Record, base: str) -> dict[str, Any]:
    """Return the JSON of a record. `base` is the URL of the API, without a trailing slash."""
    resource = RESOURCES[record.resource]
    body = {
        "id": str(record.id),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        **record.body,
        **{name: _timestamp(record, name) for name in resource.stamps},
        **{name: _link(base, target, _target_id(record, name)) for name, target in resource.links.items()},
    }
    if record.resource == "patients":
        body["label"] = full_name(record.body)
    below = {name: _link(base, record.resource, f"{record.id}/{name}") for name in resource.within}
    return {**body, **below, "links": {"self": f"{base}/{record.resource}/{record.id}"}}


def serialize_deleted(record: Record, base: str) -> dict[str, Any]:
    """Return an entry of /patients/deleted: a time and a link."""
    return {"deleted_at": record.deleted_at, "links": {"self": f"{base}/{record.resource}/{record.id}"}}


def full_name(body: dict[str, Any]) -> str:
    return f"{body.get('first_name') or ''} {body.get('last_name') or ''}".strip()


def _timestamp(record: Record, name: str) -> str | None:
    """Empty values are null or "": patients use both, so callers must accept either."""
    empty = "" if record.resource == "patients" and record.id % 3 == 0 else None
    return getattr(record, name) or empty


def _target_id(record: Record, name: str) -> str | None:
    return str(record.patient_id) if name == "patient" else record.body.get(name)


def _link(base: str, resource: str, id: str | None) -> dict[str, Any] | None:
    return {"links": {"self": f"{base}/{resource}/{id}"}} if id else None
