"""What accounts do in the background."""

from datetime import timedelta
from importlib import import_module

import structlog
from celery import shared_task
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts.models import CacheEntry, UsedTicket
from tenants.context import inside
from tenants.models import Clinic

log = structlog.get_logger(__name__)


@shared_task(name="accounts.forget_sessions")
def forget_sessions() -> None:
    """Delete what has expired: sessions, used tickets and cache rows, in public and in every active clinic."""
    forget_here()
    for clinic in list(Clinic.objects.filter(state=Clinic.State.ACTIVE)):
        with inside(clinic):
            try:
                with transaction.atomic():
                    forget_here()
            except DatabaseError as failed:  # the other clinics' turns come all the same
                log.error("forget_sessions_failed", exc_info=failed)


def forget_here() -> None:
    """Delete what has expired in the schema we are inside of."""
    now = timezone.now()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    UsedTicket.objects.filter(used_at__lt=now - timedelta(days=1)).delete()
    CacheEntry.objects.filter(expires__lt=now).delete()
