"""The list of clinics: how each one stands, from public alone."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.views import ChangeList
from unfold.widgets import UnfoldBooleanWidget

from ops.console.access import OpsRequest, console_page
from ops.console.actions import BULK, address
from ops.console.site import site
from ops.models import DailyStats
from ops.monitoring import charts, daily_stats
from ops.templatetags.ops_words import STATE_COLOURS, cut_words, state_words
from sync.models import Connection
from tenants.dates import as_datetime
from tenants.models import Clinic

KeyState = Connection.KeyState
WELL = (Connection.State.OK, "importing")
# Somebody wanted it so, or a new clinic has not begun: no trouble.
WANTED = Q(sync_state=Connection.State.PAUSED) | Q(state=Clinic.State.SETUP, sync_state=Connection.State.NO_KEY)
KEY_COLOURS = {
    KeyState.MISSING.value: "warning",
    KeyState.OK.value: "success",
    KeyState.INVALID.value: "danger",
    KeyState.FORBIDDEN.value: "danger",
}
LATE_SECONDS = 600


class _Choices(admin.SimpleListFilter):
    """One of some words in the address. A word that is not among them narrows nothing."""

    template = "ops/_filter.html"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Clinic]) -> QuerySet[Clinic]:
        chosen = self.value()
        return self.narrowed(queryset, chosen) if chosen in dict(self.lookup_choices) else queryset

    def narrowed(self, clinics: QuerySet[Clinic], chosen: str) -> QuerySet[Clinic]:
        raise NotImplementedError


class StateFilter(_Choices):
    title = "State"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(each.value, each.label) for each in Clinic.State if each != Clinic.State.PURGED]

    def narrowed(self, clinics: QuerySet[Clinic], chosen: str) -> QuerySet[Clinic]:
        return clinics.filter(state=chosen)


class CopyFilter(_Choices):
    title = "Copy"
    parameter_name = "copy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("trouble", "In trouble")]

    def narrowed(self, clinics: QuerySet[Clinic], chosen: str) -> QuerySet[Clinic]:
        return clinics.filter(state__in=Clinic.WORKING).exclude(sync_state__in=WELL).exclude(WANTED)


class KeyFilter(_Choices):
    title = "Key"
    parameter_name = "key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(each.value, each.label) for each in KeyState]

    def narrowed(self, clinics: QuerySet[Clinic], chosen: str) -> QuerySet[Clinic]:
        return clinics.filter(key_state=chosen)


FILTERS = (StateFilter, KeyFilter, CopyFilter)


class LastPageAtMost(Paginator):
    """A page past the end is the last one: the admin would show the list anew, without search, filters and ticks."""

    def validate_number(self, number: Any) -> int:
        return min(max(1, int(number)), self.num_pages)


class ClinicList(ChangeList):
    """Narrowed by what the page offers. The admin would let the address ask for any column of a clinic."""

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        offered = {each.parameter_name for each in FILTERS}
        asked: dict[str, Any] = super().get_filters_params(params)
        return {name: values for name, values in asked.items() if name in offered}


@admin.register(Clinic, site=site)
class ClinicAdmin(ModelAdmin):
    """A list only. Its actions lead to the pages of `ops.console.actions`, which say what will happen."""

    change_list_template = "ops/clinics.html"
    list_display = ("clinic", "standing", "key", "copy", "last_sync", "behind", "patients", "launches", "unread")
    list_display_links = None
    list_filter = FILTERS
    paginator = LastPageAtMost
    list_per_page = 50
    list_max_show_all = 0
    list_fullwidth = True
    ordering = ("label",)
    search_fields = ("label", "name")
    search_help_text = "Name or subdomain"
    show_facets = admin.ShowFacets.ALWAYS
    show_full_result_count = False

    def has_view_permission(self, request: HttpRequest, obj: Clinic | None = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Clinic | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Clinic | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Clinic]:
        """Each clinic with `launches` of seven days, `mirrored` and `refused` as last measured, and `is_wanted`."""
        mine = DailyStats.objects.filter(clinic=OuterRef("pk"))
        latest = mine.order_by("-day")
        week = mine.filter(day__gt=timezone.now().date() - timedelta(days=7)).order_by().values("clinic")
        return Clinic.objects.exclude(state=Clinic.State.PURGED).annotate(
            launches=Coalesce(Subquery(week.annotate(sum=Sum("launches")).values("sum")), 0),
            mirrored=Subquery(latest.values("patients")[:1]),
            refused=Subquery(latest.values("refused")[:1]),
            is_wanted=WANTED,
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ClinicList

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {action.name: (_lead_to(action.name), action.name, action.button) for action in BULK}

    def response_action(self, request: HttpRequest, queryset: QuerySet[Clinic]) -> HttpResponse | None:
        """For those ticked alone: the admin's form could ask for all that the list has."""
        ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not all(each.isascii() and each.isdecimal() and len(each) < 19 for each in ticked):
            raise BadRequest
        answer: HttpResponse | None = super().response_action(request, queryset.filter(pk__in=ticked))
        return answer

    def action_checkbox(self, obj: Clinic) -> SafeString:
        box = UnfoldBooleanWidget({"class": "action-select", "aria-label": f"Choose {obj.label}"}, lambda _: False)
        return box.render(ACTION_CHECKBOX_NAME, str(obj.pk))

    @display(description="Clinic", ordering="label", header=True)
    def clinic(self, each: Clinic) -> tuple[SafeString, str]:
        link = format_html('<a href="{}"><bdi>{}</bdi></a>', reverse("clinic", args=[each.label]), each.name)
        return link, each.label

    @display(description="State", ordering="state", label=STATE_COLOURS)
    def standing(self, each: Clinic) -> tuple[str, str]:
        return each.state, state_words(each)

    @display(description="Key", ordering="key_state", label=KEY_COLOURS)
    def key(self, each: Clinic) -> tuple[str, str]:
        return each.key_state, each.key_state

    @display(
        description="Copy", ordering="sync_state", label={"well": "success", "wanted": "info", "trouble": "danger"}
    )
    def copy(self, each: Any) -> tuple[str, str]:
        calm = each.is_wanted or not each.is_working
        how = "well" if each.sync_state in WELL else "wanted" if calm else "trouble"
        return how, cut_words(each.sync_state)

    @display(description="Last sync", ordering="checked_at", empty_value="–")
    def last_sync(self, each: Clinic) -> str | None:
        return as_datetime(each.checked_at) or None

    @display(description="Behind", ordering=F("checked_at").asc(nulls_first=True), empty_value="no copy yet")
    def behind(self, each: Clinic) -> str | None:
        if each.checked_at is None:
            return None
        seconds = int((timezone.now() - each.checked_at).total_seconds())
        words = charts.duration(max(0, seconds))
        return (
            format_html('<span class="late">{}</span>', words) if each.is_working and seconds > LATE_SECONDS else words
        )

    @display(description="Patients", ordering=F("mirrored").asc(nulls_first=True), empty_value="–")
    def patients(self, each: Any) -> str | None:
        return None if each.mirrored is None else f"{each.mirrored:,}"

    @display(description="Launches, 7 days", ordering="launches")
    def launches(self, each: Any) -> str:
        return f"{each.launches:,}"

    @display(description="Unread", ordering=F("refused").asc(nulls_first=True), empty_value="–")
    def unread(self, each: Any) -> str | None:
        return format_html('<span class="late">{}</span>', f"{each.refused:,}") if each.refused else each.refused


def _lead_to(name: str) -> Any:
    def lead(model_admin: ClinicAdmin, request: HttpRequest, chosen: QuerySet[Clinic]) -> HttpResponse:
        return redirect(address(name, *chosen.order_by("label").values_list("label", flat=True)))

    return lead


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def clinics(request: OpsRequest) -> HttpResponse:
    now = timezone.now()
    shown = {"title": "Clinics", "charts": [daily_stats.launches(now), daily_stats.lag(now)], "bulk": BULK}
    return site.get_model_admin(Clinic).changelist_view(request, shown)
