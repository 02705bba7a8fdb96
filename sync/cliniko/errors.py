"""What Cliniko may answer instead of what was asked for: one name each, with a sentence for whoever runs Sidechart."""

from datetime import datetime


class ClinikoError(Exception):
    """Cliniko did not give what was asked for."""


class KeyRefused(ClinikoError):
    """This text cannot be a Cliniko API key."""


class KeyInvalid(ClinikoError):
    """Cliniko does not accept the API key (401)."""


class KeyForbidden(ClinikoError):
    """The Cliniko user who made the API key may not read this (403)."""


class RecordNotFound(ClinikoError):
    """Cliniko has no such record (404)."""


class RateLimited(ClinikoError):
    """The key's requests for this minute are used up (429). `until` says when to go on, by our clock."""

    sentence = "Cliniko's limit of requests is reached."

    def __init__(self, until: datetime):
        super().__init__(self.sentence)
        self.until = until


class BudgetSpent(RateLimited):
    """This minute's share of the key's requests is used up; Cliniko was not asked. `until` says when to go on."""

    sentence = "This minute's share of the key's requests is used up: it goes on by itself."


class Unreachable(ClinikoError):
    """Cliniko does not answer, or answers with an error of its own (5xx, time-out, broken body)."""


class ServerError(Unreachable):
    """Cliniko answers with an error of its own (5xx); other lists may well work."""


class RequestRefused(ClinikoError):
    """Cliniko finds the request wrong (400 and other 4xx); other lists may well work."""


class NotFilterable(RequestRefused):
    """Cliniko cannot filter this list by that field (400)."""
