"""The errors of Cliniko's API, one name each."""

from datetime import datetime


class ClinikoError(Exception):
    """A request to Cliniko failed."""


class KeyRefused(ClinikoError):
    """This text can't be a Cliniko API key."""


class KeyInvalid(ClinikoError):
    """Cliniko doesn't accept the API key (401)."""


class KeyForbidden(ClinikoError):
    """The Cliniko user who made the API key isn't allowed to read this (403)."""


class RecordNotFound(ClinikoError):
    """Cliniko has no such record (404)."""


class RateLimited(ClinikoError):
    """The key has reached Cliniko's rate limit (429). `until` is when to resume, by our clock."""

    message = "Cliniko's rate limit is reached."

    def __init__(self, until: datetime):
        super().__init__(self.message)
        self.until = until


class BudgetSpent(RateLimited):
    """Our own share of the key's requests is used up for this minute; no request was made. `until`: when to resume."""

    message = "Our share of this key's requests is used up for this minute. The sync resumes automatically."


class Unreachable(ClinikoError):
    """Cliniko doesn't respond, or its response can't be used (5xx, timeout, broken body)."""


class ServerError(Unreachable):
    """Cliniko responds with an error of its own (5xx). Other lists may still work."""


class RequestRefused(ClinikoError):
    """Cliniko rejects the request (400 and other 4xx). Other lists may still work."""


class NotFilterable(RequestRefused):
    """Cliniko can't filter this list by that field (400)."""
