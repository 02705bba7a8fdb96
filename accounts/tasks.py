"""What accounts do in the background."""

from contextlib import nullcontext
from datetime import timedelta
from importlib import import_module
from smtplib import SMTPException

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from accounts import emails, reset_links
from accounts.models import CacheEntry, OpenSession, UsedTicket, User
from audit.models import Event
from tenants.context import NoSuchClinic, clinic_context_for_schema, for_every_clinic

log = structlog.get_logger(__name__)


@shared_task(
    name="accounts.send_reset_link", autoretry_for=(OSError, SMTPException), max_retries=3, default_retry_delay=20
)
def send_reset_link(*, schema_name: str, user_id: int) -> None:
    """Mail somebody a link to a new password. `user_id` 0 is nobody: the page asks for that, too, to take as long."""
    try:
        with clinic_context_for_schema(schema_name):
            user = User.objects.filter(pk=user_id, is_active=True).first()
            if user:
                reset_links.send(user)
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)


@shared_task(
    name="accounts.send_sign_in_notice", autoretry_for=(OSError, SMTPException), max_retries=3, default_retry_delay=20
)
def send_sign_in_changed(*, schema_name: str, event_id: int) -> None:
    """Mail somebody that their password or second step was changed, as that line of the log says."""
    at_ops = schema_name == get_public_schema_name()
    try:
        with nullcontext() if at_ops else clinic_context_for_schema(schema_name):
            event = Event.objects.get(pk=event_id)
            emails.send_sign_in_changed(User.objects.get(email=event.user_email), event)
    except NoSuchClinic:
        log.warning("task_without_clinic", schema_name=schema_name)


@shared_task(name="accounts.forget_sessions")
def delete_expired() -> None:
    """Delete what has expired: sessions, used tickets and cache rows, in public and in every working clinic."""
    delete_expired_here()
    for_every_clinic(delete_expired_here)


def delete_expired_here() -> None:
    """Delete what has expired in the schema we are inside of."""
    now = timezone.now()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    UsedTicket.objects.filter(used_at__lt=now - timedelta(days=1)).delete()
    OpenSession.objects.filter(started_at__lt=now - timedelta(days=1)).delete()
    CacheEntry.objects.filter(expires__lt=now).delete()
