"""A patient as pages get it: frozen values, read from the payload with getters that never raise."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

from sync.field_groups import SHOWN_IN_PLACE, NotStored
from sync.read.payload import day, items, text, timestamp
from tenants.dates import birth_date

Status = Literal["booked", "arrived", "did_not_arrive", "cancelled"]


@dataclass(frozen=True)
class Phone:
    """`number` is as typed in Cliniko, `dial` is for a tel: link."""

    kind: str
    number: str
    dial: str


@dataclass(frozen=True)
class Alert:
    """`first_seen_at` is when the alert was first mirrored."""

    cliniko_id: str
    name: str
    first_seen_at: datetime


@dataclass(frozen=True)
class Appointment:
    cliniko_id: str
    starts_at: datetime
    ends_at: datetime | None
    practitioner: str
    business: str
    appointment_type: str
    status: Status
    cancellation_reason: str
    notes: str


@dataclass(frozen=True)
class Change:
    """A changed field of the payload. `before` and `after` are JSON values, None if missing."""

    field: str
    before: Any
    after: Any
    changed_at: datetime


@dataclass(frozen=True)
class CardNumber:
    label: str
    number: str


@dataclass(frozen=True)
class CustomField:
    name: str
    value: str


@dataclass(frozen=True)
class CustomSection:
    name: str
    fields: tuple[CustomField, ...]


@dataclass(frozen=True)
class ClinicFacts:
    """Settings of the clinic's Cliniko account. `cliniko_url` is "" if unknown."""

    time_zone: str
    patient_word: str
    cliniko_url: str


@dataclass(frozen=True)
class PatientSummary:
    """A patient in a list."""

    cliniko_id: str
    name: str
    date_of_birth: date | None
    phone: str
    archived: bool


@dataclass(frozen=True)
class PatientRecord:
    """A patient as the screen shows it. Texts are "" if empty in Cliniko.

    `alerts_warning` and `appointments_warning` say why those lists may be incomplete, "" if they aren't: an empty list
    must never look like "no alerts" while alerts are missing. For the same reason `not_stored` lists the field groups
    that the clinic doesn't store. `merged_from` has the ids of patients merged into this one. `payload` is for exports
    and card numbers; pages use the other fields. `changes` are oldest first.
    """

    cliniko_id: str
    clinic: ClinicFacts
    name: str
    first_name: str
    last_name: str
    preferred_name: str
    title: str
    pronouns: str
    date_of_birth: date | None
    sex: str
    gender_identity: str
    email: str
    phones: tuple[Phone, ...]
    address_lines: tuple[str, ...]
    emergency_contact: str
    occupation: str
    referral_source: str
    reminder_type: str
    notes: str
    appointment_notes: str
    privacy_policy_accepted: bool | None
    concession: str
    custom_sections: tuple[CustomSection, ...]
    created_at: datetime | None
    updated_at: datetime
    archived_at: datetime | None
    deleted_at: datetime | None
    merged_into: str | None
    merged_from: tuple[str, ...]
    checked_at: datetime | None
    alerts: tuple[Alert, ...] = ()
    upcoming: tuple[Appointment, ...] = ()
    past: tuple[Appointment, ...] = ()
    alerts_warning: str = ""
    appointments_warning: str = ""
    not_stored: tuple[NotStored, ...] = ()
    payload: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    changes: tuple[Change, ...] = field(default=(), repr=False, compare=False)

    @property
    def is_reduced(self) -> bool:
        """True once retention has removed everything but the id of a patient deleted in Cliniko."""
        return "updated_at" not in self.payload

    @property
    def other_not_stored(self) -> tuple[NotStored, ...]:
        """Groups that aren't stored and have no place of their own on the screen."""
        return tuple(each for each in self.not_stored if each.group.name not in SHOWN_IN_PLACE)

    def changed_since(self, since: datetime) -> tuple[Change, ...]:
        """Return one change per field, from its value at `since` to its current value, latest first. A field that has
        its former value again isn't a change."""
        found: dict[str, Change] = {}
        for change in self.changes:
            if change.changed_at > since:
                first = found.pop(change.field, change)
                found[change.field] = replace(change, before=first.before)
        return tuple(change for change in reversed(found.values()) if change.before != change.after)

    @property
    def card_numbers(self) -> tuple[CardNumber, ...]:
        """Medicare and DVA numbers. Only pages that record the access may show them."""
        medicare, reference = text(self.payload, "medicare"), text(self.payload, "medicare_reference_number")
        found = {
            "Medicare": f"{medicare} / {reference}" if medicare and reference else medicare,
            "DVA": text(self.payload, "dva_card_number"),
        }
        return tuple(CardNumber(label, number) for label, number in found.items() if number)

    def fields_with(self, other: dict[str, Any]) -> dict[str, Any]:
        """Return the fields read from the payload, with `other` replacing some of Cliniko's fields."""
        payload = self.payload | other
        return fields_from(payload) | {
            "date_of_birth": day(text(payload, "date_of_birth")[:10]),
            "archived_at": timestamp(payload.get("archived_at")),
        }

    def age_text(self, today: date) -> str:
        """Return the age as clinics say it: `3 days`, `5 weeks`, `14 months`, from two years on `34`; "" if unknown."""
        born = self.date_of_birth
        if born is None or born > today:
            return ""
        days = (today - born).days
        if days < 14:
            return _count(days, "day")
        if days < 90:
            return _count(days // 7, "week")
        months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
        return _count(months, "month") if months < 24 else str(months // 12)


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def fields_from(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a PatientRecord that come from the payload alone."""
    plain = (
        "first_name last_name title sex gender_identity email emergency_contact occupation referral_source "
        "reminder_type notes appointment_notes".split()
    )
    accepted = payload.get("accepted_privacy_policy")
    return {field: text(payload, field) for field in plain} | {
        "name": full_name(payload),
        "preferred_name": text(payload, "preferred_first_name"),
        "pronouns": _pronouns(payload),
        "phones": phones(payload),
        "address_lines": _address_lines(payload),
        "privacy_policy_accepted": accepted if isinstance(accepted, bool) else None,
        "concession": text(payload, "concession_type"),
        "custom_sections": _custom_sections(payload),
        "created_at": timestamp(payload.get("created_at")),
    }


def full_name(payload: dict[str, Any]) -> str:
    """Return the patient's name, "Unnamed" if there is none, so that the record stays visible."""
    name = f"{text(payload, 'first_name')} {text(payload, 'last_name')}".strip()
    return name or text(payload, "label") or text(payload, "preferred_first_name") or "Unnamed"


def phones(payload: dict[str, Any]) -> tuple[Phone, ...]:
    found = ((text(item, "phone_type"), text(item, "number")) for item in items(payload, "patient_phone_numbers"))
    return tuple(Phone(kind, number, _dial(number)) for kind, number in found if number)


def _dial(number: str) -> str:
    return "".join(letter for letter in number if letter.isascii() and (letter.isdigit() or letter in "+*#"))


def _pronouns(payload: dict[str, Any]) -> str:
    """Return the pronouns as typed, or `she/her` from Cliniko's object of cases."""
    value = payload.get("pronouns")
    if not isinstance(value, dict):
        return text(payload, "pronouns")
    return "/".join(filter(None, (text(value, "nominative"), text(value, "accusative"))))


def _address_lines(payload: dict[str, Any]) -> tuple[str, ...]:
    town = " ".join(filter(None, (text(payload, part) for part in ("city", "state", "post_code"))))
    streets = [text(payload, part) for part in ("address_1", "address_2", "address_3")]
    return tuple(filter(None, (*streets, town, text(payload, "country"))))


def _custom_sections(payload: dict[str, Any]) -> tuple[CustomSection, ...]:
    """Return the clinic's custom fields that have a value, by section."""
    sections = []
    for section in items(payload.get("custom_fields"), "sections"):
        values = ((text(item, "name"), _custom_value(item)) for item in items(section, "fields"))
        fields = tuple(CustomField(name, value) for name, value in values if value)
        if fields:
            sections.append(CustomSection(text(section, "name"), fields))
    return tuple(sections)


def _custom_value(item: dict[str, Any]) -> str:
    kind, value = text(item, "type"), text(item, "value")
    if kind == "date":
        return birth_date(day(value)) or value
    if kind not in {"checkboxes", "radiobuttons"}:
        return value
    selected = [text(option, "name") for option in items(item, "options") if option.get("selected") is True]
    other = item.get("other")
    if isinstance(other, dict) and other.get("selected") is True:
        selected.append(text(other, "value") or text(other, "name"))
    return ", ".join(filter(None, selected))
