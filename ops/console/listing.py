"""The list of clinics: how each one stands, from public alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ops import charts, numbers
from ops.console.access import OpsRequest, console_page
from ops.console.actions import BULK
from ops.models import ClinicDay
from sync.models import Connection
from tenants.models import Clinic

PAGE = 50
WELL = (Connection.State.OK, "importing")
ORDERS = {
    "label": ("Name", [F("label").asc()]),
    "lag": ("Furthest behind", [F("checked_at").asc(nulls_first=True), F("label").asc()]),
    "launches": ("Most launches", [F("launches").desc(), F("label").asc()]),
    "patients": ("Most patients", [F("patients").desc(nulls_last=True), F("label").asc()]),
}


class Filter(forms.Form):
    """Which clinics, in which order; what is left empty narrows nothing."""

    q = forms.CharField(
        required=False,
        max_length=100,
        label="Name or subdomain",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "type": "search"}),
    )
    state = forms.ChoiceField(
        required=False,
        label="State",
        choices=[("", "Any"), *((each.value, each.label) for each in Clinic.State if each != Clinic.State.PURGED)],
    )
    copy = forms.ChoiceField(required=False, label="Copy", choices=[("", "Any"), ("trouble", "In trouble")])
    order = forms.ChoiceField(
        required=False, label="Order", choices=[(name, words) for name, (words, _) in ORDERS.items()]
    )

    def chosen(self) -> QuerySet[Clinic]:
        """The clinics, each with `launches` of seven days, and `patients` and `refused` as last measured."""
        wanted = self.cleaned_data if self.is_valid() else {}
        found = _with_numbers(Clinic.objects.exclude(state=Clinic.State.PURGED))
        if q := wanted.get("q"):
            found = found.filter(Q(label__icontains=q) | Q(name__icontains=q))
        if state := wanted.get("state"):
            found = found.filter(state=state)
        if wanted.get("copy"):
            found = found.filter(state__in=Clinic.WORKING).exclude(sync_state__in=WELL)
        return found.order_by(*ORDERS[wanted.get("order") or "label"][1])


@dataclass(frozen=True)
class Row:
    """A clinic in the list. `lag` is how far its copy is behind, in words; `late` and `well` colour it."""

    clinic: Clinic
    lag: str
    late: bool
    well: bool


@require_safe
@console_page
def clinics(request: OpsRequest) -> HttpResponse:
    now = timezone.now()
    form = Filter(request.GET or None)
    found = form.chosen()
    number = _page_number(request.GET.get("page", ""))
    page = list(found[(number - 1) * PAGE : number * PAGE + 1])
    context = {
        "filter": form,
        "rows": [_row(clinic, now) for clinic in page[:PAGE]],
        "more": len(page) > PAGE,
        "number": number,
        "parameters": _parameters(request),
        "states": dict(
            Clinic.objects.exclude(state=Clinic.State.PURGED)
            .values_list("state")
            .annotate(Count("pk"))
            .order_by("state")
        ),
        "charts": [numbers.launches(now), numbers.lag(now)],
        "actions": BULK,
    }
    return render(request, "ops/clinics.html", context)


def _with_numbers(clinics: QuerySet[Clinic]) -> QuerySet[Clinic]:
    mine = ClinicDay.objects.filter(clinic=OuterRef("pk"))
    latest = mine.order_by("-day")
    week = mine.filter(day__gt=timezone.now().date() - timedelta(days=7)).order_by().values("clinic")
    return clinics.annotate(
        launches=Coalesce(Subquery(week.annotate(sum=Sum("launches")).values("sum")), 0),
        patients=Subquery(latest.values("patients")[:1]),
        refused=Subquery(latest.values("refused")[:1]),
    )


def _row(clinic: Clinic, now: datetime) -> Row:
    behind = int((now - clinic.checked_at).total_seconds()) if clinic.checked_at else None
    return Row(
        clinic,
        lag=charts.duration(max(0, behind)) if behind is not None else "",
        late=clinic.is_working and behind is not None and behind > 600,
        well=clinic.sync_state in WELL,
    )


def _page_number(typed: str) -> int:
    return int(typed) if typed.isascii() and typed.isdecimal() and 0 < len(typed) < 6 and int(typed) else 1


def _parameters(request: OpsRequest) -> dict[str, Any]:
    """What was chosen, for the links to other pages of the same list."""
    return {name: request.GET[name] for name in Filter.base_fields if request.GET.get(name)}
