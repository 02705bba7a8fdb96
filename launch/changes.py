"""What is not as it was when this person last looked: in words, a line a field of the screen."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from launch.previous_view import PreviousView
from sync.read.records import CustomSection, PatientRecord, Phone
from tenants.dates import birth_date

NOTHING = "nothing"
CONSENT = {True: "given", False: "refused", None: "never asked"}


@dataclass(frozen=True)
class Told:
    """`field` names the place on the screen."""

    field: str
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Changed:
    """The changes `since` an earlier look at the patient, or since this one began (`just_now`)."""

    since: datetime
    just_now: bool
    told: tuple[Told, ...]

    @property
    def fields(self) -> set[str]:
        return {each.field for each in self.told}


def since_last_look(record: PatientRecord, look: PreviousView, *, opening: bool = False) -> Changed | None:
    """What this person has not seen yet; None when that is nothing, or when they open it for the first time."""
    just_now = look.earlier is None
    since = look.earlier or look.began
    if just_now and opening:
        return None
    told = in_words(record, {change.field: change.before for change in record.changed_since(since)})
    return Changed(since, just_now, told) if told else None


def in_words(record: PatientRecord, before: dict[str, Any]) -> tuple[Told, ...]:
    """What of the screen differs from a record with the fields in `before`, which are Cliniko's."""
    if not before:
        return ()
    then, now = record.fields_with(before), record.fields_with({})
    pairs = [(field, label, say(then[field]), say(now[field])) for field, (label, say) in _SHOWN.items()]
    held, holds = _own_fields(then["custom_sections"]), _own_fields(now["custom_sections"])
    pairs += [(name, name, held.get(name, NOTHING), holds.get(name, NOTHING)) for name in held | holds]
    return tuple(Told(*pair) for pair in pairs if pair[2] != pair[3])


def _text(value: str) -> str:
    return value.replace("\r\n", "\n") or NOTHING  # a form that was saved again ends its lines in another way


def _day(value: date | datetime | None) -> str:
    return birth_date(value) or NOTHING


def _phones(phones: tuple[Phone, ...]) -> str:
    return ", ".join(f"{phone.kind} {phone.number}".strip() for phone in phones) or NOTHING


def _own_fields(sections: tuple[CustomSection, ...]) -> dict[str, str]:
    """The clinic's own fields by section and name, as the screen marks them."""
    return {f"{section.name} / {field.name}": field.value for section in sections for field in section.fields}


_SHOWN: dict[str, tuple[str, Callable[[Any], str]]] = {
    "name": ("Name", _text),
    "preferred_name": ("Preferred name", _text),
    "pronouns": ("Pronouns", _text),
    "date_of_birth": ("Birth date", _day),
    "sex": ("Sex", _text),
    "privacy_policy_accepted": ("Consent", CONSENT.__getitem__),
    "phones": ("Phone", _phones),
    "email": ("E-mail", _text),
    "address_lines": ("Address", lambda lines: ", ".join(lines) or NOTHING),
    "reminder_type": ("Reminders", _text),
    "emergency_contact": ("Emergency contact", _text),
    "title": ("Title", _text),
    "gender_identity": ("Gender identity", _text),
    "occupation": ("Occupation", _text),
    "referral_source": ("Referred by", _text),
    "concession": ("Concession", _text),
    "appointment_notes": ("Notes for appointments", _text),
    "notes": ("Notes in Cliniko", _text),
    "archived_at": ("Archived", _day),
}
