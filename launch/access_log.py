"""Read the access log: audit entries, newest first, for a page or as CSV."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q

from accounts.models import User
from audit.log import Action
from audit.models import Event
from exports import spreadsheets
from sync.read import patients
from sync.read.records import PatientRecord
from tenants.context import enter_clinic
from tenants.models import Clinic

PAGE_SIZE = 100
BATCH_SIZE = 1000
OPERATORS = "ops"
HEADINGS = ("Entry", "When", "Who", "What", "Patient (Cliniko ID)", "Details", "Request")


class DayField(forms.DateField):
    """An optional day."""

    default_validators = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31))]

    def __init__(self, label: str):
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(label=label, required=False, widget=widget)


class LogFilter(forms.Form):
    """Which entries to show; an empty field doesn't filter. A patient is in the URL's path, never in this form."""

    person = forms.ChoiceField(required=False, label="Who")
    action = forms.ChoiceField(
        required=False,
        label="What",
        choices=[("", "Anything"), *((value, label[:1].upper() + label[1:]) for value, label in Action.choices)],
    )
    since = DayField("From")
    until = DayField("To")

    def __init__(self, data: Mapping[str, str], *, people: Mapping[int, str]):
        super().__init__(data)
        staff = ((str(pk), name) for pk, name in people.items())
        choices = [("", "Anyone"), *staff, (OPERATORS, "Sidechart support")]
        self.fields["person"] = forms.ChoiceField(required=False, label="Who", choices=choices)

    def condition(self, zone: str) -> Q:
        """Return the query of a valid form; days are those of the time zone."""
        chosen, condition = self.cleaned_data, Q()
        if chosen["person"]:
            condition &= Q(user_id=None) if chosen["person"] == OPERATORS else Q(user_id=chosen["person"])
        if chosen["action"]:
            condition &= Q(action=chosen["action"])
        if chosen["since"]:
            condition &= Q(occurred_at__gte=datetime.combine(chosen["since"], time.min, ZoneInfo(zone)))
        if chosen["until"]:
            condition &= Q(occurred_at__lte=datetime.combine(chosen["until"], time.max, ZoneInfo(zone)))
        return condition

    def parameters(self) -> dict[str, str]:
        """Return the chosen values, for a link or form with the same filter."""
        return {name: value for name in self.fields if (value := self.data.get(name, ""))}


@dataclass(frozen=True)
class Entry:
    """One entry as the page shows it. `patient` is their name, empty when the mirror doesn't have the ID."""

    event: Event
    name: str
    patient: str
    details: str


def people() -> dict[int, str]:
    """Return the names of all users, past and present, by ID."""
    return {user.pk: user.name or user.email for user in User.objects.order_by("name", "email")}


def about(record: PatientRecord) -> Q:
    """Return the query for entries about a patient and those merged into them.

    Entries from before the clinic connected its current Cliniko account don't match: their IDs were other people's.
    """
    since = patients.account_since()
    family = Q(patient_id__in=[record.cliniko_id, *record.merged_from])
    return family & Q(occurred_at__gte=since) if since else family


def page(condition: Q, *, before: int | None = None, size: int = PAGE_SIZE) -> tuple[list[Event], bool]:
    """Return matching events older than number `before`, newest first, and whether there are more."""
    older = Q(pk__lt=before) if before else Q()
    found = list(Event.objects.filter(condition, older).order_by("-pk")[: size + 1])
    return found[:size], len(found) > size


def entries(events: list[Event], names: Mapping[int, str]) -> list[Entry]:
    """Add names of users and patients. IDs from a previous Cliniko account get no name."""
    since = patients.account_since()
    ids = {event.pk: event.patient_id for event in events if since is None or event.occurred_at >= since}
    summaries = patients.summaries(set(ids.values()) - {""})
    patient = {pk: summaries[patient_id].name for pk, patient_id in ids.items() if patient_id in summaries}
    return [Entry(each, names.get(each.user_id or 0, ""), patient.get(each.pk, ""), details(each)) for each in events]


def details(event: Event) -> str:
    """Return the details as text: `person: alex@clinic.example, role: admin`."""
    return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in event.details.items())


def as_csv(clinic: Clinic, condition: Q, zone: str) -> Iterator[str]:
    """Yield all matching entries as CSV, for a streaming response.

    The response is read after the request has left the clinic, so each batch enters it again.
    """
    yield spreadsheets.csv_header(HEADINGS)
    before, more = None, True
    while more:
        with enter_clinic(clinic):
            events, more = page(condition, before=before, size=BATCH_SIZE)
        yield spreadsheets.csv_rows(as_row(event, zone) for event in events)
        before = events[-1].pk if events else None


def as_row(event: Event, zone: str) -> tuple[str, ...]:
    """Return an event in the order of HEADINGS."""
    when = event.occurred_at.astimezone(ZoneInfo(zone)).isoformat(sep=" ", timespec="seconds")
    what = str(event.get_action_display())
    return str(event.pk), when, event.user_email, what, event.patient_id, details(event), event.request_id
