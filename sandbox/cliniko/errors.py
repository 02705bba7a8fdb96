"""What can go wrong with a request, each with the status and the words that the caller sees."""


class ApiError(Exception):
    """The API refuses this request."""

    status = 400
    headers: dict[str, str] = {}

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}


class BadRequest(ApiError):
    """The request itself is malformed."""


class Unauthorized(ApiError):
    """The key is missing, unknown, revoked or of another shard."""

    status = 401


class Forbidden(ApiError):
    """The user behind the key may not do this."""

    status = 403


class NotFound(ApiError):
    """There is no such record in this account."""

    status = 404


class NotAcceptable(ApiError):
    """The caller does not take JSON."""

    status = 406


class TooManyRequests(ApiError):
    """The key has used up its minute."""

    status = 429


class SandboxError(Exception):
    """The sandbox itself cannot do what its operator or a test asked of it."""
