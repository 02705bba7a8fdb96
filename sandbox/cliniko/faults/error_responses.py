"""Error responses sent instead of the real one."""

import json
import math
from datetime import datetime

from flask import Response

from sandbox.cliniko.faults.kinds import Fault
from sandbox.cliniko.faults.queue import InjectedFault

FOREIGN_HOST = "https://evil.example/"
JSON, HTML = "application/json", "text/html"
ERROR_RESPONSES = {
    Fault.SERVER_ERROR: (500, JSON, "Something went wrong on our side."),
    Fault.BAD_GATEWAY: (502, HTML, "502 Bad Gateway"),
    Fault.UNAVAILABLE: (503, HTML, "503 Service Temporarily Unavailable"),
    Fault.UNAUTHORIZED: (401, JSON, "HTTP Basic: Access denied."),
    Fault.FORBIDDEN: (403, JSON, "You are not authorized to perform this action."),
    Fault.TOO_MANY: (429, JSON, "You have exceeded the rate limit. Try again later."),
    Fault.TOO_MANY_BARE: (429, JSON, "You have exceeded the rate limit. Try again later."),
    Fault.TOO_MANY_PAST: (429, JSON, "You have exceeded the rate limit. Try again later."),
    Fault.TOO_MANY_HOUR: (429, JSON, "You have exceeded the rate limit. Try again later."),
    Fault.ERROR_BODY: (200, JSON, "The request could not be completed."),
    Fault.NOT_JSON: (200, HTML, "We will be back soon"),
    Fault.REDIRECT: (302, HTML, "Moved"),
}


def error_response(fault: InjectedFault, now: datetime) -> Response | None:
    """Return the error response of a fault, or None for a fault that alters the real response."""
    if fault.fault not in ERROR_RESPONSES:
        return None
    status, kind, text = ERROR_RESPONSES[fault.fault]
    body = json.dumps({"message": text}) if kind == JSON else f"<!doctype html><title>{text}</title><h1>{text}</h1>"
    return Response(body, status, _headers(fault, now), mimetype=kind)


def _headers(fault: InjectedFault, now: datetime) -> dict[str, str]:
    if fault.fault == Fault.REDIRECT:
        return {"Location": FOREIGN_HOST}
    if fault.fault == Fault.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Basic realm="Cliniko API"'}
    ahead = {Fault.TOO_MANY: fault.seconds, Fault.TOO_MANY_PAST: -60.0, Fault.TOO_MANY_HOUR: 3600.0}.get(fault.fault)
    return {} if ahead is None else {"X-RateLimit-Reset": str(math.ceil(now.timestamp() + ahead))}
