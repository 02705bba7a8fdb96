"""Medicare and DVA numbers: when the clinic wants them, on request, with a row in the access log for each look."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from audit.log import Action
from launch.access import patients_page, record_access
from launch.http import StaffRequest
from launch.models import ClinicSettings
from sync.read import patients


@patients_page
@require_POST
def card_numbers(request: StaffRequest, patient_id: str) -> HttpResponse:
    """Uncover a patient's numbers: in their place on the screen, or without a script on a page of their own."""
    record = patients.get(patient_id)
    wanted = ClinicSettings.objects.filter(shows_card_numbers=True).exists()
    if record is None or record.deleted_at or not record.card_numbers or not wanted:
        raise Http404
    record_access(request, Action.REVEALED, patient_id)
    template = "launch/_card_numbers.html" if request.htmx else "launch/card_numbers.html"
    return render(request, template, {"record": record, "uncovered": True})
