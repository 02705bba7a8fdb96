"""Health checks and metrics. The responses name no clinic, user or version."""

from threading import Event

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ops.monitoring.metrics import REGISTRY

_migrations_complete = Event()


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Return 200 while this process is alive."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Return 200 if the database responds and is migrated, else 503. The broker isn't checked: pages don't need it."""
    try:
        missing = _missing_migrations()
    except DatabaseError:
        return HttpResponse("the database isn't responding\n", content_type="text/plain", status=503)
    if missing:
        return HttpResponse("migrations are missing\n", content_type="text/plain", status=503)
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics for Prometheus, on the base host and with METRICS_TOKEN as bearer token; else 404."""
    if request.clinic is not None or not _has_metrics_token(request):  # type: ignore[attr-defined]
        raise Http404
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _has_metrics_token(request: HttpRequest) -> bool:
    if not settings.METRICS_TOKEN:
        return settings.BASE_DOMAIN == "localhost"
    return constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}")


def _missing_migrations() -> int:
    """Return how many migrations the public schema lacks. Raises DatabaseError.

    Once complete, this only checks that the database responds: applied migrations don't disappear.
    """
    with connection.cursor() as cursor:
        if _migrations_complete.is_set():
            cursor.execute("SELECT 1")
            return 0
        cursor.execute("SELECT app, name FROM public.django_migrations")
        missing = set(MigrationLoader(None).disk_migrations) - set(cursor.fetchall())
    if not missing:
        _migrations_complete.set()
    return len(missing)
