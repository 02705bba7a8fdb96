"""Mails that tell a clinic's owners what only they can mend."""

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.dispatch import receiver
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from sync import connection
from sync.signals import key_refused
from tenants.context import current_clinic
from tenants.hosts import clinic_url

log = structlog.get_logger(__name__)


@receiver(key_refused)
def tell_owners_of_refused_key(**_: object) -> None:
    """Mail every owner of the clinic we are inside of. Raises what the mail backend raises when no mail went out."""
    clinic = current_clinic()
    page = clinic_url(clinic.label, reverse("settings", urlconf=settings.ROOT_URLCONF))
    context = {"clinic": clinic, "last4": connection.load().key_last4, "page": page}
    subject = render_to_string("ops/email/key_refused_subject.txt", context).strip()
    body = render_to_string("ops/email/key_refused.txt", context)
    owners = list(User.objects.filter(role=Role.OWNER, is_active=True).values_list("email", flat=True))
    failures = [failure for email in owners if (failure := _sent(EmailMessage(subject, body, to=[email])))]
    if failures and len(failures) == len(owners):
        raise failures[0]


def _sent(message: EmailMessage) -> OSError | None:
    """None when it went out, otherwise why not: one address that bounces keeps no other owner from being told."""
    try:
        message.send()
    except OSError as failure:  # SMTPException is one
        log.warning("owner_not_mailed", exc_info=failure)
        return failure
    return None
