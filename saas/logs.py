"""JSON logs that say which clinic and which request, and nothing about a patient."""

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


def frames_only(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the error's type and its frames: an error's text and locals may quote a record."""
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

# These write paths, arguments and error texts; RequestLog and log_failure say the same without them.
SILENT: dict[str, object] = {
    name: {"handlers": [], "level": "CRITICAL", "propagate": False}
    for name in ("django.request", "django.security", "django.server", "django.dispatch", "celery.app.trace")
}
QUIET: dict[str, object] = {
    "urllib3": {"level": "ERROR"},
    "kombu": {"level": "WARNING"},
    "celery.beat": {"level": "WARNING"},
    "celery.worker.strategy": {"level": "WARNING"},
}


def logging_settings(level: str) -> dict[str, object]:
    """Django's LOGGING: everything to standard error, one JSON object a line."""
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
                    frames_only,
                    structlog.processors.JSONRenderer(ensure_ascii=False),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": SILENT | QUIET,
    }


class RequestLog:
    """One line a request: method, route (never the path or the query string), status, milliseconds."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        request_id = uuid.uuid4().hex
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        response = self.get_response(request)
        route = request.resolver_match.route if request.resolver_match else None
        elapsed = round((time.perf_counter() - started) * 1000, 1)
        clinic = getattr(request, "clinic", None)
        log.info(
            "request",
            clinic=clinic and clinic.label,
            method=request.method,
            route=route,
            status=response.status_code,
            milliseconds=elapsed,
        )
        response["X-Request-ID"] = request_id
        return response


@receiver(got_request_exception)
def log_exception(sender: object, request: HttpRequest | None = None, **_: object) -> None:
    """Name the error behind a 500; the traceback arrives as `exc_info` and is cut to its frames."""
    import sys

    log.error("request_failed", exc_info=sys.exc_info())
