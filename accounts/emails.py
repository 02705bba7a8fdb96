"""Mails that tell somebody that their password or second step is not as it was: it may not have been them."""

from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from accounts.links import absolute_url
from accounts.models import User, in_public
from audit.models import Event
from tenants.context import current_clinic


def send_sign_in_changed(person: User, event: Event) -> None:
    """Say what the line of the log says that they did themself. Raises what the mail backend raises."""
    _send("sign_in_changed", person, event=event, kind=event.details["kind"])


def send_second_factor_reset(person: User, *, by: str) -> None:
    """Say by whom their second step was reset. Raises what the mail backend raises."""
    _send("second_factor_reset", person, by=by)


def _send(template: str, person: User, **context: object) -> None:
    clinic = None if in_public() else current_clinic()
    place = clinic.name if clinic else "Sidechart's console"
    context |= {"clinic": clinic, "place": place, "own_sign_in": absolute_url("mfa_index")}
    subject = render_to_string(f"accounts/email/{template}_subject.txt", context).strip()
    EmailMessage(subject, render_to_string(f"accounts/email/{template}.txt", context), to=[person.email]).send()
