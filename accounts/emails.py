"""Emails about accounts. All raise what the mail backend raises: OSError, smtplib.SMTPException among others."""

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts import reset_links
from accounts.links import absolute_url
from accounts.models import Invitation, User, in_public
from audit.models import Event
from tenants.context import current_clinic


def send_invitation(invitation: Invitation, url: str) -> None:
    _send("invitation", invitation.email, html=True, invitation=invitation, url=url)


def send_reset_link(user: User) -> None:
    _send("reset_link", user.email, html=True, url=reset_links.create(user))


def send_sign_in_changed(user: User, event: Event) -> None:
    """Tell the user about the change to their sign-in that `event` records, in case it wasn't them."""
    url = absolute_url("mfa_index")
    _send("sign_in_changed", user.email, event=event, kind=event.details["kind"], url=url)


def send_second_factor_reset(user: User, *, by: str) -> None:
    """Tell the user that `by` (a name) reset their two-step verification."""
    _send("second_factor_reset", user.email, by=by)


def _send(template: str, to: str, *, html: bool = False, **context: object) -> None:
    clinic = None if in_public() else current_clinic()
    context |= {"clinic": clinic, "site_name": clinic.name if clinic else "Sidechart's console"}
    subject, text = (render_to_string(f"accounts/email/{template}{end}", context) for end in ("_subject.txt", ".txt"))
    message = EmailMultiAlternatives(subject.strip(), text, to=[to])
    if html:
        message.attach_alternative(render_to_string(f"accounts/email/{template}.html", context), "text/html")
    message.send()
