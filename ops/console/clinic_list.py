"""The list of clinics, read from the public schema alone."""

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

from ops.console.access import OperatorRequest, console_view
from ops.console.actions import BULK_ACTIONS, confirmation_url
from ops.console.site import site
from ops.models import DailyStats
from ops.monitoring import charts, daily_stats
from ops.templatetags.ops_tags import STATE_COLOURS, spaced, state_label
from sync.models import Connection
from tenants.dates import as_datetime
from tenants.models import Clinic

KeyState = Connection.KeyState
HEALTHY = (Connection.State.OK, "importing")
# Not a problem: someone paused it, or a new clinic isn't connected yet.
EXPECTED = Q(sync_state=Connection.State.PAUSED) | Q(state=Clinic.State.SETUP, sync_state=Connection.State.NO_KEY)
KEY_COLOURS = {
    KeyState.MISSING.value: "warning",
    KeyState.OK.value: "success",
    KeyState.INVALID.value: "danger",
    KeyState.FORBIDDEN.value: "danger",
}
LATE_SECONDS = 600


class ChoiceFilter(admin.SimpleListFilter):
    """A filter with fixed choices. An unknown value in the URL is ignored."""

    template = "ops/_filter.html"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Clinic]) -> QuerySet[Clinic]:
        chosen = self.value()
        return self.apply(queryset, chosen) if chosen in dict(self.lookup_choices) else queryset

    def apply(self, clinics: QuerySet[Clinic], chosen: str) -> QuerySet[Clinic]:
        raise NotImplementedError


class StateFilter(ChoiceFilter):
    title = "State"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(each.value, each.label) for each in Clinic.State if each != Clinic.State.PURGED]

    def apply(self, clinics: QuerySet[Clinic], chosen: str) -> QuerySet[Clinic]:
        return clinics.filter(state=chosen)


class SyncFilter(ChoiceFilter):
    title = "Sync"
    parameter_name = "copy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("trouble", "Problems")]

    def apply(self, clinics: QuerySet[Clinic], chosen: str) -> QuerySet[Clinic]:
        return clinics.filter(state__in=Clinic.WORKING).exclude(sync_state__in=HEALTHY).exclude(EXPECTED)


class KeyFilter(ChoiceFilter):
    title = "API key"
    parameter_name = "key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(each.value, each.label) for each in KeyState]

    def apply(self, clinics: QuerySet[Clinic], chosen: str) -> QuerySet[Clinic]:
        return clinics.filter(key_state=chosen)


FILTERS = (StateFilter, KeyFilter, SyncFilter)


class ClampingPaginator(Paginator):
    """Show the last page for a number past the end, where the admin would drop the search and filters."""

    def validate_number(self, number: Any) -> int:
        return min(max(1, int(number)), self.num_pages)


class ClinicList(ChangeList):
    """Allow only the page's filters. The admin would accept lookups on any column in the URL."""

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        allowed = {each.parameter_name for each in FILTERS}
        return {name: values for name, values in super().get_filters_params(params).items() if name in allowed}


@admin.register(Clinic, site=site)
class ClinicAdmin(ModelAdmin):
    """The list. Its actions redirect to the confirmation pages of ops/console/actions.py."""

    change_list_template = "ops/clinics.html"
    list_display = "clinic clinic_state key sync last_sync behind patients launches unreadable".split()
    list_display_links = None
    list_filter = FILTERS
    paginator = ClampingPaginator
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
        """Annotate `launches` of seven days, `mirrored` and `refused` as last measured, and `is_expected`."""
        stats = DailyStats.objects.filter(clinic=OuterRef("pk"))
        latest = stats.order_by("-day")
        week = stats.filter(day__gt=timezone.now().date() - timedelta(days=7)).order_by().values("clinic")
        return Clinic.objects.exclude(state=Clinic.State.PURGED).annotate(
            launches=Coalesce(Subquery(week.annotate(sum=Sum("launches")).values("sum")), 0),
            mirrored=Subquery(latest.values("patients")[:1]),
            refused=Subquery(latest.values("refused")[:1]),
            is_expected=EXPECTED,
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ClinicList

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {action.name: (_redirect_to(action.name), action.name, action.button) for action in BULK_ACTIONS}

    def response_action(self, request: HttpRequest, queryset: QuerySet[Clinic]) -> HttpResponse | None:
        """Act on the ticked clinics only. The admin's `select_across` would take the whole list."""
        ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not all(each.isascii() and each.isdecimal() and len(each) < 19 for each in ticked):
            raise BadRequest
        return super().response_action(request, queryset.filter(pk__in=ticked))

    def action_checkbox(self, obj: Clinic) -> SafeString:
        box = UnfoldBooleanWidget({"class": "action-select", "aria-label": f"Select {obj.label}"}, lambda _: False)
        return box.render(ACTION_CHECKBOX_NAME, str(obj.pk))

    @display(description="Clinic", ordering="label", header=True)
    def clinic(self, each: Clinic) -> tuple[SafeString, str]:
        link = format_html('<a href="{}"><bdi>{}</bdi></a>', reverse("clinic", args=[each.label]), each.name)
        return link, each.label

    @display(description="State", ordering="state", label=STATE_COLOURS)
    def clinic_state(self, each: Clinic) -> tuple[str, str]:
        return each.state, state_label(each)

    @display(description="API key", ordering="key_state", label=KEY_COLOURS)
    def key(self, each: Clinic) -> tuple[str, str]:
        return each.key_state, each.key_state

    @display(
        description="Sync", ordering="sync_state", label={"ok": "success", "expected": "info", "problem": "danger"}
    )
    def sync(self, each: Any) -> tuple[str, str]:
        expected = each.is_expected or not each.is_working
        kind = "ok" if each.sync_state in HEALTHY else "expected" if expected else "problem"
        return kind, spaced(each.sync_state)

    @display(description="Last sync", ordering="checked_at", empty_value="–")
    def last_sync(self, each: Clinic) -> str | None:
        return as_datetime(each.checked_at) or None

    @display(description="Behind", ordering=F("checked_at").asc(nulls_first=True), empty_value="never synced")
    def behind(self, each: Clinic) -> str | None:
        if each.checked_at is None:
            return None
        seconds = int((timezone.now() - each.checked_at).total_seconds())
        lag = charts.duration(max(0, seconds))
        late = each.is_working and seconds > LATE_SECONDS
        return format_html('<span class="late">{}</span>', lag) if late else lag

    @display(description="Patients", ordering=F("mirrored").asc(nulls_first=True), empty_value="–")
    def patients(self, each: Any) -> str | None:
        return None if each.mirrored is None else f"{each.mirrored:,}"

    @display(description="Launches, 7 days", ordering="launches")
    def launches(self, each: Any) -> str:
        return f"{each.launches:,}"

    @display(description="Unreadable", ordering=F("refused").asc(nulls_first=True), empty_value="–")
    def unreadable(self, each: Any) -> str | None:
        return format_html('<span class="late">{}</span>', f"{each.refused:,}") if each.refused else each.refused


def _redirect_to(name: str) -> Any:
    def action(model_admin: ClinicAdmin, request: HttpRequest, clinics: QuerySet[Clinic]) -> HttpResponse:
        return redirect(confirmation_url(name, *clinics.order_by("label").values_list("label", flat=True)))

    return action


@require_http_methods(["GET", "HEAD", "POST"])
@console_view
def clinics(request: OperatorRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        "title": "Clinics",
        "charts": [daily_stats.launch_chart(now), daily_stats.lag_chart(now)],
        "bulk": BULK_ACTIONS,
    }
    return site.get_model_admin(Clinic).changelist_view(request, context)
