"""Celery tasks: account emails and the nightly clean-up."""

from contextlib import nullcontext
from datetime import timedelta
from importlib import import_module
from smtplib import SMTPException

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from accounts import emails
from accounts.models import CacheEntry, OpenSession, UsedTicket, User
from audit.models import Event
from tenants.context import NoSuchClinic, clinic_context_for_schema, for_every_clinic

log = structlog.get_logger(__name__)


@shared_task(
    name="accounts.send_reset_link", autoretry_for=(OSError, SMTPException), max_retries=3, default_retry_delay=20
)
def send_reset_link(*, schema_name: str, user_id: int) -> None:
    """Email a user a link to reset their password. An unknown email address queues this with `user_id` 0."""
    try:
        with clinic_context_for_schema(schema_name):
            user = User.objects.filter(pk=user_id, is_active=True).first()
            if user:
                emails.send_reset_link(user)
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)


@shared_task(
    name="accounts.send_sign_in_changed", autoretry_for=(OSError, SMTPException), max_retries=3, default_retry_delay=20
)
def send_sign_in_changed(*, schema_name: str, event_id: int) -> None:
    """Email a user about the change to their password or second factor that this audit event records."""
    is_public = schema_name == get_public_schema_name()
    try:
        with nullcontext() if is_public else clinic_context_for_schema(schema_name):
            event = Event.objects.get(pk=event_id)
            emails.send_sign_in_changed(User.objects.get(email=event.user_email), event)
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)


@shared_task(name="accounts.delete_expired")
def delete_expired() -> None:
    """Delete expired sessions, used tickets and cache rows, in public and in every working clinic."""
    delete_expired_here()
    for_every_clinic(delete_expired_here)


def delete_expired_here() -> None:
    """Delete what has expired in the current schema."""
    now = timezone.now()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    UsedTicket.objects.filter(used_at__lt=now - timedelta(days=1)).delete()
    OpenSession.objects.filter(started_at__lt=now - timedelta(days=1)).delete()
    CacheEntry.objects.filter(expires__lt=now).delete()
