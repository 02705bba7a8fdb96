"""Mails that tell somebody that their second step is not as it was: if it was not them, they should know."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import User
from audit.models import Event
from tenants.context import current_clinic
from tenants.hosts import clinic_url


def send_changed(person: User, event: Event) -> None:
    """Say what the line of the log says that they did themself. Raises what the mail backend raises."""
    _send("second_factor_changed", person, event=event, kind=event.details["kind"])


def send_reset(person: User, *, by: str) -> None:
    """Say by whom their second step was reset. Raises what the mail backend raises."""
    _send("second_factor_reset", person, by=by)


def _send(template: str, person: User, **context: object) -> None:
    clinic = current_clinic()
    own_sign_in = clinic_url(clinic.label, reverse("mfa_index", urlconf=settings.ROOT_URLCONF))
    context |= {"clinic": clinic, "own_sign_in": own_sign_in}
    subject = render_to_string(f"accounts/email/{template}_subject.txt", context).strip()
    EmailMessage(subject, render_to_string(f"accounts/email/{template}.txt", context), to=[person.email]).send()
