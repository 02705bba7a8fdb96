"""Home: search, and the patients that this person opened last."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.roles import Permission, may
from audit.log import Action
from launch import onboarding
from launch.access import patients_page, recently_opened, record_access
from launch.http import StaffRequest, empty_refusal, is_somebody_looking
from sync.read import patients, status

LONGEST_SEARCH = 100
SHOWN = 20


@patients_page
@require_safe
def home(request: StaffRequest) -> HttpResponse:
    """Show the search box, who was opened last, and what staff should know of the mirror."""
    if not is_somebody_looking(request):
        return empty_refusal()
    return _show(request, "launch/home.html")


@patients_page
@require_http_methods(["GET", "HEAD", "POST"])
def search(request: StaffRequest) -> HttpResponse:
    """Find patients. What is searched for travels in the body, never in an address that histories and logs keep."""
    if request.method != "POST":
        return redirect("home")
    text = " ".join(request.POST.get("text", "").replace("\x00", "").split())[:LONGEST_SEARCH]
    template = "launch/_results.html" if request.htmx else "launch/home.html"
    if not text:
        return _show(request, template)
    record_access(request, Action.SEARCHED)
    found = patients.search(text, limit=SHOWN + 1)
    return _show(request, template, text=text, found=found[:SHOWN], more=len(found) > SHOWN)


def _show(request: StaffRequest, template: str, **context: object) -> HttpResponse:
    facts = patients.clinic_facts()
    if "found" not in context:
        opened = recently_opened(request.user)
        held = patients.summaries(opened)
        context["recent"] = [held[patient_id] for patient_id in opened if patient_id in held]
        if context["recent"]:
            record_access(request, Action.LISTED)
    with timezone.override(facts.time_zone):
        mirror = status.current()
        copied = status.patient_count() if mirror.importing else None
        context |= {"mirror": mirror, "copied": copied, "word": facts.patient_word}
        if may(request.user, Permission.VIEW_SETTINGS):
            context["first_steps"] = onboarding.open_ones(request.user)
        return render(request, template, context)
