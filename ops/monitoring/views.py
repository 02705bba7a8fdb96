"""Health for load balancers: alive, and ready to serve. No clinic, no person, no version in the answer."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ops.monitoring.metrics import REGISTRY

_seen_complete = False


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 while the database answers too and has the tables that this version needs, 503 otherwise. Not the broker:
    pages work without it."""
    try:
        missing = _missing_migrations()
    except DatabaseError:
        return HttpResponse("the database does not answer\n", content_type="text/plain", status=503)
    if missing:
        return HttpResponse("migrations are missing\n", content_type="text/plain", status=503)
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus, on the base host, with METRICS_TOKEN as bearer token; to everybody else it is not there."""
    if request.clinic is not None or not _may_read_metrics(request):  # type: ignore[attr-defined]
        raise Http404
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    if not settings.METRICS_TOKEN:
        return settings.BASE_DOMAIN == "localhost"
    return constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}")


def _missing_migrations() -> int:
    """How many migrations public lacks. Once there were none, only whether the database answers is asked: nobody takes
    tables away under a running process. Raises DatabaseError."""
    global _seen_complete
    with connection.cursor() as cursor:
        if _seen_complete:
            cursor.execute("SELECT 1")
            return 0
        cursor.execute("SELECT app, name FROM public.django_migrations")
        missing = set(MigrationLoader(None).disk_migrations) - set(cursor.fetchall())
    _seen_complete = not missing
    return len(missing)
