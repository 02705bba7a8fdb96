"""Reading the access log: which lines, newest first, on a page or as CSV."""

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

PAGE = 100
BATCH = 1000
OPS = "ops"
HEADINGS = ("Line", "When", "Who", "What", "Patient (Cliniko id)", "Details", "Request")


class DayField(forms.DateField):
    """A day that may be left empty."""

    default_validators = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2199, 12, 31))]

    def __init__(self, label: str):
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(label=label, required=False, widget=widget)


class LogFilter(forms.Form):
    """Which lines somebody wants to see; what is left empty narrows nothing. Never a patient: those are in the path."""

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
        choices = [("", "Anybody"), *((str(pk), name) for pk, name in people.items()), (OPS, "Sidechart's own people")]
        self.fields["person"] = forms.ChoiceField(required=False, label="Who", choices=choices)

    def condition(self, zone: str) -> Q:
        """What the lines have to meet; days are those of the time zone."""
        wanted, found = self.cleaned_data, Q()
        if wanted["person"]:
            found &= Q(user_id=None) if wanted["person"] == OPS else Q(user_id=wanted["person"])
        if wanted["action"]:
            found &= Q(action=wanted["action"])
        if wanted["since"]:
            found &= Q(occurred_at__gte=datetime.combine(wanted["since"], time.min, ZoneInfo(zone)))
        if wanted["until"]:
            found &= Q(occurred_at__lte=datetime.combine(wanted["until"], time.max, ZoneInfo(zone)))
        return found

    def as_parameters(self) -> dict[str, str]:
        """What was chosen, for a link or a form that means the same lines."""
        return {name: value for name in self.fields if (value := self.data.get(name, ""))}


@dataclass(frozen=True)
class Line:
    """One line as the page shows it; `patient` is empty where the id is of nobody in the mirror."""

    event: Event
    name: str
    patient: str
    details: str


def people() -> dict[int, str]:
    """Everybody who has or had an account at the clinic, by id."""
    return {user.pk: user.name or user.email for user in User.objects.order_by("name", "email")}


def about(record: PatientRecord) -> Q:
    """Lines about a patient and those merged into them; none from before the clinic moved to its present Cliniko
    account, when the ids were somebody else's."""
    since = patients.account_since()
    family = Q(patient_id__in=[record.cliniko_id, *record.merged_from])
    return family & Q(occurred_at__gte=since) if since else family


def page(condition: Q, *, before: int | None = None, size: int = PAGE) -> tuple[list[Event], bool]:
    """Lines that meet the condition, newest first, older than line `before`; and whether there are more."""
    older = Q(pk__lt=before) if before else Q()
    found = list(Event.objects.filter(condition, older).order_by("-pk")[: size + 1])
    return found[:size], len(found) > size


def lines(events: list[Event], names: Mapping[int, str]) -> list[Line]:
    """The events with the names of who and whom; no name for an id from before the clinic changed its account."""
    since = patients.account_since()
    named = {event.pk: event.patient_id for event in events if since is None or event.occurred_at >= since}
    held = patients.summaries(set(named.values()) - {""})
    whom = {pk: held[patient_id].name for pk, patient_id in named.items() if patient_id in held}
    return [Line(each, names.get(each.user_id or 0, ""), whom.get(each.pk, ""), in_words(each)) for each in events]


def in_words(event: Event) -> str:
    """`whom: alex@clinic.example, role: admin`."""
    return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in event.details.items())


def as_csv(clinic: Clinic, condition: Q, zone: str) -> Iterator[str]:
    """All lines that meet the condition, for an answer that is sent while it is read. The request has left the clinic
    by then, so each batch enters it anew, and what is handed out was read inside."""
    yield spreadsheets.opening(HEADINGS)
    before, more = None, True
    while more:
        with enter_clinic(clinic):
            events, more = page(condition, before=before, size=BATCH)
        yield spreadsheets.lines(as_row(event, zone) for event in events)
        before = events[-1].pk if events else None


def as_row(event: Event, zone: str) -> tuple[str, ...]:
    """A line in the order of HEADINGS."""
    when = event.occurred_at.astimezone(ZoneInfo(zone)).isoformat(sep=" ", timespec="seconds")
    what = str(event.get_action_display())
    return str(event.pk), when, event.user_email, what, event.patient_id, in_words(event), event.request_id
