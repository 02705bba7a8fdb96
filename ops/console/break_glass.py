"""Looking into a clinic: a reason first, then what it keeps aside, record by record."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ops import break_glass
from ops.console.access import OpsRequest, console_page
from ops.console.clinic import clinic_or_404
from ops.console.site import page
from ops.models import BreakGlassGrant


class ReasonForm(forms.Form):
    reason = forms.CharField(
        min_length=10,
        max_length=200,
        label="Why you have to look",
        help_text="The clinic's owners read this, in a mail and in their log. Nothing of a patient.",
        error_messages={"min_length": "Say it in a few words: the clinic's owners read it."},
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    minutes = forms.TypedChoiceField(
        label="For how long",
        coerce=int,
        choices=[(each, f"{each} minutes") for each in break_glass.MINUTES],
        widget=UnfoldAdminSelectWidget,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def begin(request: OpsRequest, label: str) -> HttpResponse:
    found = clinic_or_404(label)
    if break_glass.current(found, request.user):
        return redirect("looked", label)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        title = f"Look into {found.name}?"
        return page(request, "ops/look.html", title=title, status=422 if form.errors else 200, found=found, form=form)
    break_glass.begin(found, user=request.user, **form.cleaned_data)
    return redirect("looked", label)


@require_safe
@console_page
def looked(request: OpsRequest, label: str) -> HttpResponse:
    """What there is to open: of each record which list it is of, and why it could not be read."""
    look = _look(request, label)
    if look is None:
        return _over(request, label)
    kept, runs = break_glass.kept(look), break_glass.runs(look)
    return page(
        request,
        "ops/looked.html",
        title="Records kept aside",
        found=look.clinic,
        look=look,
        kept=kept,
        most_listed=break_glass.MOST_LISTED,
        runs=runs,
    )


@require_POST
@console_page
def open_one(request: OpsRequest, label: str, kept_id: int) -> HttpResponse:
    """One record. By a form and not by a link, so that nothing but a hand on this page opens it."""
    look = _look(request, label)
    if look is None:
        return _over(request, label)
    opened = break_glass.open_one(look, user=request.user, pk=kept_id)
    if opened is None:
        messages.info(request, "That record is no longer kept aside: it could be read meanwhile.")
        return redirect("looked", label)
    return page(request, "ops/opened.html", title="A record kept aside", found=look.clinic, look=look, opened=opened)


@require_POST
@console_page
def end(request: OpsRequest, label: str) -> HttpResponse:
    ended = break_glass.end(clinic_or_404(label), user=request.user)
    messages.success(request, "Your look is over." if ended else "Your look was over before.")
    return redirect("clinic", label)


def _look(request: OpsRequest, label: str) -> BreakGlassGrant | None:
    return break_glass.current(clinic_or_404(label), request.user)


def _over(request: OpsRequest, label: str) -> HttpResponse:
    messages.info(request, "Say why first; a look ends by itself.")
    return redirect("look", label)
