"""Mails that tell a clinic's owners what only they can do."""

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
def tell_owners_of_refused_key(**_: object) -> None:
    """Mail every owner of the clinic we are inside of. Raises what the mail backend raises when no mail went out."""
    _tell_owners("key_refused", page=_page("key"), last4=connection_state.load().key_last4)


def tell_owners_of_closing(clinic: Clinic) -> bool:
    """Mail every owner of the clinic we are inside of the day from which on nobody gets in. False when no mail went
    out."""
    days = (clinic.closing_on - timezone.now().date()).days if clinic.closing_on else 0
    try:
        return _tell_owners("closing", page=_page("export"), day=clinic.closing_on, days=days) > 0
    except OSError:
        return False


def tell_owners_of_look(who: str, *, reason: str, until: datetime) -> None:
    """Mail every owner of the clinic we are inside of that somebody of ops looks into it."""
    try:
        _tell_owners("looking", page=_page("access"), who=who, reason=reason, until=until)
    except OSError:  # each one is in our logs; the line in the clinic's log stands in any case
        return


def _page(name: str) -> str:
    return clinic_url(current_clinic().label, reverse(name, urlconf=settings.ROOT_URLCONF))


def _tell_owners(mail: str, **context: Any) -> int:
    """How many were mailed, of those who may sign in: none is there before the first invitation is accepted."""
    context |= {"clinic": current_clinic()}
    subject = render_to_string(f"ops/email/{mail}_subject.txt", context).strip()
    body = render_to_string(f"ops/email/{mail}.txt", context)
    owners = list(User.objects.filter(role=Role.OWNER, is_active=True).values_list("email", flat=True))
    failures = [failure for email in owners if (failure := _sent(EmailMessage(subject, body, to=[email])))]
    if failures and len(failures) == len(owners):
        raise failures[0]
    return len(owners) - len(failures)


def _sent(message: EmailMessage) -> OSError | None:
    """None when it went out, otherwise why not: one address that bounces keeps no other owner from being told."""
    try:
        message.send()
    except OSError as failure:  # SMTPException is one
        log.warning("owner_not_mailed", exc_info=failure)
        return failure
    return None
