"""What accounts do in the background."""

from datetime import timedelta
from importlib import import_module

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts.models import CacheEntry, OpenSession, UsedTicket
from tenants.context import in_every_clinic


@shared_task(name="accounts.forget_sessions")
def forget_sessions() -> None:
    """Delete what has expired: sessions, used tickets and cache rows, in public and in every active clinic."""
    forget_here()
    in_every_clinic(forget_here)


def forget_here() -> None:
    """Delete what has expired in the schema we are inside of."""
    now = timezone.now()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    UsedTicket.objects.filter(used_at__lt=now - timedelta(days=1)).delete()
    OpenSession.objects.filter(started_at__lt=now - timedelta(days=1)).delete()
    CacheEntry.objects.filter(expires__lt=now).delete()
