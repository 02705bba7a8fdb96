"""Errors with the status and message that the caller sees."""


class ApiError(Exception):
    """The API refuses a request."""

    status = 400
    headers: dict[str, str] = {}

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}


class BadRequest(ApiError):
    """The request is malformed."""


class Unauthorized(ApiError):
    """The key is missing, unknown, revoked or of another shard."""

    status = 401


class Forbidden(ApiError):
    """The key's user has no permission."""

    status = 403


class NotFound(ApiError):
    """The account has no such record."""

    status = 404


class NotAcceptable(ApiError):
    """The caller doesn't accept JSON."""

    status = 406


class TooManyRequests(ApiError):
    """The key is over its rate limit."""

    status = 429


class SandboxError(Exception):
    """The sandbox can't do what its user or a test asked for."""
