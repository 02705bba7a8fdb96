"""Compare a record with what the user saw at their previous view: one line per field of the screen."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from launch.messages import EMPTY_VALUE, FIELD_LABELS, PRIVACY_POLICY
from launch.previous_view import PreviousView
from sync.read.records import CustomSection, PatientRecord, Phone
from tenants.dates import birth_date


@dataclass(frozen=True)
class FieldChange:
    """A changed field, both values as text. `field` is its name in `{% changed %}`."""

    field: str
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Changes:
    """The changes since the previous view, or since this view began (`just_now`)."""

    since: datetime
    just_now: bool
    changes: tuple[FieldChange, ...]

    @property
    def fields(self) -> set[str]:
        return {each.field for each in self.changes}


def changes_since(record: PatientRecord, view: PreviousView, *, opening: bool = False) -> Changes | None:
    """Return what the user hasn't seen; None if nothing changed, or when they open the patient for the first time."""
    just_now = view.previous_at is None
    since = view.previous_at or view.started_at
    if just_now and opening:
        return None
    changes = field_changes(record, {change.field: change.before for change in record.changed_since(since)})
    return Changes(since, just_now, changes) if changes else None


def field_changes(record: PatientRecord, before: dict[str, Any]) -> tuple[FieldChange, ...]:
    """Return how the screen differs from a record whose Cliniko fields had the values in `before`."""
    if not before:
        return ()
    then, now = record.fields_with(before), record.fields_with({})
    pairs = [(field, label, _as_text(field, then), _as_text(field, now)) for field, label in FIELD_LABELS.items()]
    custom, custom_now = _custom_fields(then["custom_sections"]), _custom_fields(now["custom_sections"])
    pairs += [
        (name, name, custom.get(name, EMPTY_VALUE), custom_now.get(name, EMPTY_VALUE)) for name in custom | custom_now
    ]
    return tuple(FieldChange(*pair) for pair in pairs if pair[2] != pair[3])


def _as_text(field: str, values: dict[str, Any]) -> str:
    return _FORMATS.get(field, _text)(values[field]) or EMPTY_VALUE


def _text(value: str) -> str:
    return value.replace("\r\n", "\n")  # saving a form again may change its line ends


def _phones(phones: tuple[Phone, ...]) -> str:
    return ", ".join(f"{phone.kind} {phone.number}".strip() for phone in phones)


def _custom_fields(sections: tuple[CustomSection, ...]) -> dict[str, str]:
    """Return the clinic's custom fields by section and name, as the template marks them."""
    return {f"{section.name} / {field.name}": field.value for section in sections for field in section.fields}


_FORMATS: dict[str, Callable[[Any], str]] = {
    "date_of_birth": birth_date,
    "archived_at": birth_date,
    "privacy_policy_accepted": PRIVACY_POLICY.__getitem__,
    "phones": _phones,
    "address_lines": ", ".join,
}
