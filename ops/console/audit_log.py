"""Operators' own log, in the public schema. What they did to a clinic is in that clinic's access log too."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from audit.models import Event
from ops.console.access import OperatorRequest, console_view
from ops.console.site import page
from ops.templatetags.ops_tags import spaced

PAGE_SIZE = 100


@require_safe
@console_view
def activity(request: OperatorRequest) -> HttpResponse:
    typed = request.GET.get("before", "")
    before = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 16 else None
    events = Event.objects.filter(pk__lt=before) if before else Event.objects.all()
    found = list(events.order_by("-pk")[: PAGE_SIZE + 1])
    older = found[PAGE_SIZE - 1].pk if len(found) > PAGE_SIZE else None
    lines = [_line(event) for event in found[:PAGE_SIZE]]
    return page(request, "ops/activity.html", title="Activity", lines=lines, older=older, before=before)


def _line(event: Event) -> tuple[Event, str, str]:
    """Return the event, its clinic's label and its other details as text."""
    details = dict(event.details)
    clinic = details.pop("clinic", "") or details.get("new_clinic", "")
    if not clinic:
        details.pop("role", None)  # operators have no roles
    return event, clinic, ", ".join(f"{spaced(name)}: {value}" for name, value in details.items())
