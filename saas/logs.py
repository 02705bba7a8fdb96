"""JSON logs with the clinic and the request, and nothing about patients."""

import sys
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from structlog.typing import EventDict, WrappedLogger

log = structlog.get_logger(__name__)


def drop_error_text(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace `exc_info` with the error's type and frames, because its text may quote a patient's record."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
        frames = traceback.extract_tb(error.__traceback__)
        event["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# These log paths, arguments and error texts. RequestLogMiddleware and log_failure log the same without them.
SILENCED_LOGGERS: dict[str, object] = {
    name: {"handlers": [], "level": "CRITICAL", "propagate": False}
    for name in ("django.request", "django.security", "django.server", "django.dispatch", "celery.app.trace")
}
QUIETER_LOGGERS: dict[str, object] = {
    "urllib3": {"level": "ERROR"},
    "kombu": {"level": "WARNING"},
    "celery.beat": {"level": "WARNING"},
    "celery.worker.strategy": {"level": "WARNING"},
}


def logging_settings(level: str) -> dict[str, object]:
    """Configure structlog and return Django's LOGGING: one JSON object per line on standard error."""
    structlog.configure(
        processors=[*SHARED_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED_PROCESSORS,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    drop_error_text,
                    structlog.processors.JSONRenderer(ensure_ascii=False),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": SILENCED_LOGGERS | QUIETER_LOGGERS,
    }


class RequestLogMiddleware:
    """Log each request's method, route (never its path or query string), status and duration."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        request_id = uuid.uuid4().hex
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        response = self.get_response(request)
        clinic = getattr(request, "clinic", None)
        log.info(
            "request",
            clinic=clinic and clinic.label,
            method=request.method,
            route=request.resolver_match.route if request.resolver_match else None,
            status=response.status_code,
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
        )
        response["X-Request-ID"] = request_id
        return response


@receiver(got_request_exception)
def log_exception(sender: object, request: HttpRequest | None = None, **_: object) -> None:
    """Log the error behind a 500."""
    log.error("request_failed", exc_info=sys.exc_info())
