"""Open a clinic's unreadable records, after giving a reason."""

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from unfold.widgets import UnfoldAdminSelectWidget

from ops import break_glass
from ops.console.access import OperatorRequest, console_view
from ops.console.actions import ReasonForm
from ops.console.clinic import clinic_or_404
from ops.console.site import page


class BreakGlassForm(ReasonForm):
    minutes = forms.TypedChoiceField(
        label="For how long",
        coerce=int,
        choices=[(each, f"{each} minutes") for each in break_glass.MINUTES],
        widget=UnfoldAdminSelectWidget,
    )

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if len(reason) < 10:
            raise ValidationError("Use a few words: the clinic's owners read this.")
        return reason


@require_http_methods(["GET", "HEAD", "POST"])
@console_view
def begin(request: OperatorRequest, label: str) -> HttpResponse:
    clinic = clinic_or_404(label)
    if break_glass.active_grant(clinic, request.user):
        return redirect("unreadable_records", label)
    form = BreakGlassForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return page(request, "ops/break_glass.html", title=f"Open records of {clinic.name}?", clinic=clinic, form=form)
    break_glass.grant_access(clinic, user=request.user, **form.cleaned_data)
    return redirect("unreadable_records", label)


@require_safe
@console_view
def records(request: OperatorRequest, label: str) -> HttpResponse:
    grant = break_glass.active_grant(clinic_or_404(label), request.user)
    if grant is None:
        return _require_reason(request, label)
    return page(
        request,
        "ops/records.html",
        title="Unreadable records",
        grant=grant,
        records=break_glass.unreadable_records(grant),
        max_records=break_glass.MAX_RECORDS,
        runs=break_glass.recent_runs(grant),
    )


@require_POST  # a link could be followed without anyone meaning to open the record
@console_view
def open_record(request: OperatorRequest, label: str, pk: int) -> HttpResponse:
    grant = break_glass.active_grant(clinic_or_404(label), request.user)
    if grant is None:
        return _require_reason(request, label)
    opened = break_glass.open_record(grant, user=request.user, pk=pk)
    if opened is None:
        messages.info(request, "That record isn't here any more: it has been read since.")
        return redirect("unreadable_records", label)
    record, payload = opened
    return page(request, "ops/record.html", title="Unreadable record", grant=grant, record=record, payload=payload)


@require_POST
@console_view
def end(request: OperatorRequest, label: str) -> HttpResponse:
    ended = break_glass.revoke_access(clinic_or_404(label), user=request.user)
    messages.success(request, "Your access has ended." if ended else "Your access had already ended.")
    return redirect("clinic", label)


def _require_reason(request: OperatorRequest, label: str) -> HttpResponse:
    messages.info(request, "Give a reason first. Access ends when its time is up.")
    return redirect("break_glass", label)
