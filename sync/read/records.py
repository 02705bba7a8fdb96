"""What pages are given of a patient: frozen values read from the payload, no models."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

from sync.cliniko.payloads import day, items, timestamp, text
from sync.field_groups import SHOWN_IN_PLACE, NotStored
from tenants.dates import birth_date

Status = Literal["booked", "arrived", "did_not_arrive", "cancelled"]
_CHOSEN = {"checkboxes", "radiobuttons"}


@dataclass(frozen=True)
class Phone:
    """`number` as written in Cliniko, `dial` as a tel: link takes it."""

    kind: str
    number: str
    dial: str


@dataclass(frozen=True)
class Alert:
    """`first_seen_at` is when the mirror had it first."""

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
    """One field of a payload that is not as it was; `before` and `after` are JSON values, None where there was none."""

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
    """What the clinic's Cliniko account says of itself."""

    time_zone: str
    patient_word: str
    cliniko_url: str


@dataclass(frozen=True)
class PatientSummary:
    """One line of a list."""

    cliniko_id: str
    name: str
    date_of_birth: date | None
    phone: str
    archived: bool


@dataclass(frozen=True)
class PatientRecord:
    """One patient as the screen shows it. Texts are empty where Cliniko says nothing.

    `alerts_note` and `appointments_note` are sentences when those lists may be incomplete, empty otherwise: an empty
    list of alerts must never be taken for "no alerts" while they are not here. Nor must what the clinic chose not to
    keep be taken for empty: `not_kept` names it. `merged_from` are the ids of those who
    were merged into this patient. `payload` is everything that Cliniko tells: what a page shows is in the other fields.
    `changes` are those that are kept, oldest first.
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
        """Whether all but the id of a patient deleted in Cliniko has been removed here."""
        return "updated_at" not in self.payload

    @property
    def other_not_stored(self) -> tuple[NotStored, ...]:
        """Groups that are not here and have no place of their own on the screen."""
        return tuple(each for each in self.not_stored if each.group.name not in SHOWN_IN_PLACE)

    def changed_since(self, since: datetime) -> tuple[Change, ...]:
        """What Cliniko changed after `since`, a row a field, latest first: from what it was then to what it is now. A
        field that is as it was is no change."""
        found: dict[str, Change] = {}
        for change in self.changes:
            if change.changed_at > since:
                first = found.pop(change.field, change)
                found[change.field] = replace(change, before=first.before)
        return tuple(change for change in reversed(found.values()) if change.before != change.after)

    @property
    def card_numbers(self) -> tuple[CardNumber, ...]:
        """Medicare and DVA numbers: for pages that uncover them, never for one that merely shows a patient."""
        medicare = " / ".join(
            filter(None, (text(self.payload, "medicare"), text(self.payload, "medicare_reference_number")))
        )
        found = {
            "Medicare": medicare if text(self.payload, "medicare") else "",
            "DVA": text(self.payload, "dva_card_number"),
        }
        return tuple(CardNumber(label, number) for label, number in found.items() if number)

    def fields_with(self, other: dict[str, Any]) -> dict[str, Any]:
        """The fields read from the payload alone, with other values for some of Cliniko's fields."""
        payload = self.payload | other
        dates = {"date_of_birth": day(payload, "date_of_birth"), "archived_at": timestamp(payload, "archived_at")}
        return fields_from(payload) | dates

    def age_on(self, today: date) -> int | None:
        """Whole years on that day, or None without a birth date."""
        born = self.date_of_birth
        if born is None or born > today:
            return None
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day))

    def age_text(self, today: date) -> str:
        """The age as clinics say it: days, weeks and months for the youngest, years from two on; "" when unknown."""
        years = self.age_on(today)
        if years is None or self.date_of_birth is None:
            return ""
        if years >= 2:
            return str(years)
        days = (today - self.date_of_birth).days
        if days < 14:
            return _count(days, "day")
        if days < 90:
            return _count(days // 7, "week")
        born = self.date_of_birth
        return _count((today.year - born.year) * 12 + today.month - born.month - (today.day < born.day), "month")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def fields_from(payload: dict[str, Any]) -> dict[str, Any]:
    """The fields of a PatientRecord that are read from the payload alone."""
    plain = (
        "first_name last_name title sex gender_identity email emergency_contact occupation referral_source "
        "reminder_type notes appointment_notes".split()
    )
    accepted = payload.get("accepted_privacy_policy")
    return {field: text(payload, field) for field in plain} | {
        "name": full_name(payload),
        "preferred_name": text(payload, "preferred_first_name"),
        "pronouns": pronouns(payload),
        "phones": phones(payload),
        "address_lines": address_lines(payload),
        "privacy_policy_accepted": accepted if isinstance(accepted, bool) else None,
        "concession": text(payload, "concession_type"),
        "custom_sections": custom_sections(payload),
        "created_at": timestamp(payload, "created_at"),
    }


def pronouns(payload: dict[str, Any]) -> str:
    """Pronouns as spelt, or as `she/her` where Cliniko gives the cases."""
    value = payload.get("pronouns")
    if not isinstance(value, dict):
        return text(payload, "pronouns")
    return "/".join(filter(None, (text(value, case) for case in ("nominative", "accusative"))))


def full_name(payload: dict[str, Any]) -> str:
    """The name a patient is greeted by and found under; "Unnamed" never hides that a record is there."""
    first = text(payload, "first_name")
    spelt = f"{first} {text(payload, 'last_name')}".strip()
    return spelt or text(payload, "label") or text(payload, "preferred_first_name") or "Unnamed"


def phones(payload: dict[str, Any]) -> tuple[Phone, ...]:
    found = ((text(item, "phone_type"), text(item, "number")) for item in items(payload, "patient_phone_numbers"))
    return tuple(Phone(kind, number, _dial(number)) for kind, number in found if number)


def _dial(number: str) -> str:
    return "".join(letter for letter in number if letter.isascii() and (letter.isdigit() or letter in "+*#"))


def address_lines(payload: dict[str, Any]) -> tuple[str, ...]:
    town = " ".join(filter(None, (text(payload, part) for part in ("city", "state", "post_code"))))
    streets = [text(payload, part) for part in ("address_1", "address_2", "address_3")]
    return tuple(filter(None, (*streets, town, text(payload, "country"))))


def custom_sections(payload: dict[str, Any]) -> tuple[CustomSection, ...]:
    """The clinic's own fields that hold something, whatever their types."""
    sections = []
    for section in items(payload.get("custom_fields"), "sections"):
        values = ((text(item, "name"), _custom_value(item)) for item in items(section, "fields"))
        fields = tuple(CustomField(name, value) for name, value in values if value)
        if fields:
            sections.append(CustomSection(text(section, "name"), fields))
    return tuple(sections)


def _date(value: str) -> str:
    """`2025-03-09` as `9 Mar 2025`; whatever is no date stays as it is."""
    try:
        return birth_date(date.fromisoformat(value))
    except ValueError:
        return value


def _custom_value(item: dict[str, Any]) -> str:
    kind = text(item, "type")
    if kind == "date":
        return _date(text(item, "value"))
    if kind not in _CHOSEN:
        return text(item, "value")
    chosen = [text(option, "name") for option in items(item, "options") if option.get("selected") is True]
    other = item.get("other")
    if isinstance(other, dict) and other.get("selected") is True:
        chosen.append(text(other, "value") or text(other, "name"))
    return ", ".join(filter(None, chosen))
