"""Answers that come in place of the real one."""

import json
import math
from datetime import datetime

from flask import Response

from sandbox.cliniko.faults.kinds import Fault
from sandbox.cliniko.faults.queue import Hit

ELSEWHERE = "https://evil.example/"
JSON, PAGE = "application/json", "text/html"
FAILURES = {
    Fault.SERVER_ERROR: (500, JSON, "Something went wrong on our side."),
    Fault.BAD_GATEWAY: (502, PAGE, "502 Bad Gateway"),
    Fault.UNAVAILABLE: (503, PAGE, "503 Service Temporarily Unavailable"),
    Fault.UNAUTHORIZED: (401, JSON, "HTTP Basic: Access denied."),
    Fault.FORBIDDEN: (403, JSON, "You are not authorized to perform this action."),
    Fault.TOO_MANY: (429, JSON, "You have exceeded the rate limit. Try again later."),
    Fault.TOO_MANY_BARE: (429, JSON, "You have exceeded the rate limit. Try again later."),
    Fault.TOO_MANY_PAST: (429, JSON, "You have exceeded the rate limit. Try again later."),
    Fault.TOO_MANY_HOUR: (429, JSON, "You have exceeded the rate limit. Try again later."),
    Fault.ERROR_BODY: (200, JSON, "The request could not be completed."),
    Fault.NOT_JSON: (200, PAGE, "We will be back soon"),
    Fault.REDIRECT: (302, PAGE, "Moved"),
}


def failure(hit: Hit, now: datetime) -> Response | None:
    """The answer that a fault gives by itself; None for a fault that spoils the real one."""
    if hit.fault not in FAILURES:
        return None
    status, kind, text = FAILURES[hit.fault]
    body = json.dumps({"message": text}) if kind == JSON else f"<!doctype html><title>{text}</title><h1>{text}</h1>"
    return Response(body, status, _headers(hit, now), mimetype=kind)


def _headers(hit: Hit, now: datetime) -> dict[str, str]:
    if hit.fault == Fault.REDIRECT:
        return {"Location": ELSEWHERE}
    if hit.fault == Fault.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Basic realm="Cliniko API"'}
    ahead = {Fault.TOO_MANY: hit.seconds, Fault.TOO_MANY_PAST: -60.0, Fault.TOO_MANY_HOUR: 3600.0}.get(hit.fault)
    return {} if ahead is None else {"X-RateLimit-Reset": str(math.ceil(now.timestamp() + ahead))}
