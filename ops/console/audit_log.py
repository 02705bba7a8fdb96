"""What ops have done: their own log, on public. What they did to a clinic stands in that clinic's log, too."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from audit.models import Event
from ops.console.access import OpsRequest, console_page
from ops.console.site import page

PAGE = 100


@require_safe
@console_page
def log(request: OpsRequest) -> HttpResponse:
    typed = request.GET.get("before", "")
    before = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 16 else None
    events = Event.objects.filter(pk__lt=before) if before else Event.objects.all()
    found = list(events.order_by("-pk")[: PAGE + 1])
    lines = [_line(event) for event in found[:PAGE]]
    older = found[PAGE - 1].pk if len(found) > PAGE else None
    return page(request, "ops/log.html", title="What ops did", lines=lines, older=older, before=before)


def _line(event: Event) -> tuple[Event, str, str]:
    """The event, the clinic that it was about, and the rest in words. A role counts at a clinic alone."""
    said = dict(event.details)
    clinic = said.pop("clinic", "") or said.get("new_clinic", "")
    if not clinic:
        said.pop("role", None)
    return event, clinic, ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in said.items())
