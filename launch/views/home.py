"""Home: search, and the patients that the user opened recently."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.roles import Permission, may
from audit.log import Action
from launch import onboarding
from launch.access import recently_opened, record_access, view_patients_required
from launch.http import StaffRequest, empty_403, is_page_load
from sync.read import patients, status

MAX_LENGTH = 100
SHOWN = 20


@view_patients_required
@require_safe
def home(request: StaffRequest) -> HttpResponse:
    """Show the search box, recently opened patients, and the mirror's state."""
    if not is_page_load(request):
        return empty_403()
    return _render(request, "launch/home.html")


@view_patients_required
@require_http_methods(["GET", "HEAD", "POST"])
def search(request: StaffRequest) -> HttpResponse:
    """Find patients. The search text is in the body, never in a URL that browser history and logs keep."""
    if request.method != "POST":
        return redirect("home")
    text = " ".join(request.POST.get("text", "").replace("\x00", "").split())[:MAX_LENGTH]
    template = "launch/_results.html" if request.htmx else "launch/home.html"
    if not text:
        return _render(request, template)
    record_access(request, Action.SEARCHED)
    found = patients.search(text, limit=SHOWN + 1)
    return _render(request, template, text=text, found=found[:SHOWN], more=len(found) > SHOWN)


def _render(request: StaffRequest, template: str, **context: object) -> HttpResponse:
    facts = patients.clinic_facts()
    if "found" not in context:
        opened = recently_opened(request.user)
        summaries = patients.summaries(opened)
        context["recent"] = [summaries[patient_id] for patient_id in opened if patient_id in summaries]
        if context["recent"]:
            record_access(request, Action.LISTED)
    with timezone.override(facts.time_zone):
        mirror = status.current()
        copied = status.patient_count() if mirror.importing else None
        context |= {"mirror": mirror, "copied": copied, "word": facts.patient_word}
        if may(request.user, Permission.VIEW_SETTINGS):
            context["onboarding"] = onboarding.unfinished(request.user)
        return render(request, template, context)
