"""Authenticate API requests and check their headers."""

import re

from flask import Request

from sandbox.cliniko.data.accounts import Account, Key
from sandbox.cliniko.errors import Forbidden, NotAcceptable, Unauthorized
from sandbox.cliniko.rate_limit import RateLimiter
from sandbox.cliniko.store import Store

# Reference: docs.api.cliniko.com, "Identifying your application": APP_VENDOR_NAME (APP_VENDOR_EMAIL)
USER_AGENT = re.compile(r"\S.* \([^()\s@]+@[^()\s@]+\.[^()\s@]+\)")


def find_request_key(request: Request, store: Store, shard: str) -> Key | None:
    """Return the key of a request, even if revoked, or None. Only Basic auth with an empty password counts."""
    sent = request.authorization
    if not sent or sent.type != "basic" or not sent.username or sent.password:
        return None
    return store.find_key(sent.username, shard)


def authorize(request: Request, store: Store, rate_limiter: RateLimiter, key: Key | None) -> Account:
    """Return the account of a request's key. Raises an ApiError if the request is not allowed."""
    account = store.account(key.account) if key and not key.revoked else None
    if not key or not account:
        raise unauthorized()
    rate_limiter.spend(key.body, store.now(), budget=account.requests_per_minute)
    if not USER_AGENT.fullmatch(request.headers.get("User-Agent", "")):
        raise Forbidden("Your request was blocked: send a User-Agent with a name and a valid contact email.")
    if not request.accept_mimetypes.accept_json:
        raise NotAcceptable("Only application/json is available.")
    return account


def unauthorized() -> Unauthorized:
    return Unauthorized("HTTP Basic: Access denied.", {"WWW-Authenticate": 'Basic realm="Cliniko API"'})
