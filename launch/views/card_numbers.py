"""Medicare and DVA numbers: if the clinic shows them, on request, each time with an audit entry."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from audit.log import Action
from launch.access import record_access, view_patients_required
from launch.http import StaffRequest
from launch.models import ClinicSettings
from sync.read import patients


@view_patients_required
@require_POST
def card_numbers(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Reveal a patient's numbers: in place on the screen, or on a page of their own without JavaScript."""
    record = patients.get(patient_id)
    is_shown = ClinicSettings.objects.filter(shows_card_numbers=True).exists()
    if record is None or record.deleted_at or not record.card_numbers or not is_shown:
        raise Http404
    record_access(request, Action.REVEALED, patient_id)
    template = "launch/_card_numbers.html" if request.htmx else "launch/card_numbers.html"
    return render(request, template, {"record": record, "revealed": True})
