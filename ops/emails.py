"""Emails to a clinic's owners about what only they can do. Call these inside the clinic's context."""

from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.dispatch import receiver
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from sync.connection import state as connection_state
from sync.signals import key_refused
from tenants.context import current_clinic
from tenants.hosts import clinic_url
from tenants.models import Clinic

log = structlog.get_logger(__name__)


@receiver(key_refused)
def send_key_refused(**_: object) -> None:
    """Email the owners that Cliniko refused the API key. Raises OSError if no email was sent."""
    _email_owners("key_refused", page="key", last4=connection_state.load().key_last4)


def send_closing_notice(clinic: Clinic) -> bool:
    """Email the owners the first day the clinic is closed. Return False if no email was sent."""
    days = (clinic.closing_on - timezone.now().date()).days if clinic.closing_on else 0
    try:
        return _email_owners("closing", page="export", day=clinic.closing_on, days=days) > 0
    except OSError:
        return False


def send_break_glass_notice(operator_email: str, *, reason: str, until: datetime) -> None:
    """Email the owners that an operator may open unreadable records until then."""
    try:
        _email_owners("break_glass", page="access", operator_email=operator_email, reason=reason, until=until)
    except OSError:
        return  # each failure is logged, and the clinic's access log has the event


def _email_owners(template: str, *, page: str, **context: Any) -> int:
    """Return how many active owners were emailed; 0 before the first one accepts the invitation.

    Raises the first OSError if there are owners and every email failed.
    """
    clinic = current_clinic()
    url = clinic_url(clinic.label, reverse(page, urlconf=settings.ROOT_URLCONF))
    context |= {"clinic": clinic, "page": url}
    subject = render_to_string(f"ops/email/{template}_subject.txt", context).strip()
    body = render_to_string(f"ops/email/{template}.txt", context)
    sent, failures = 0, []
    for email in User.objects.filter(role=Role.OWNER, is_active=True).values_list("email", flat=True):
        try:
            EmailMessage(subject, body, to=[email]).send()
            sent += 1
        except OSError as failure:  # SMTPException too; the other owners still get theirs
            log.warning("owner_email_failed", exc_info=failure)
            failures.append(failure)
    if failures and not sent:
        raise failures[0]
    return sent
