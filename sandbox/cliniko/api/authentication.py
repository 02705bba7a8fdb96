"""Who may ask the API, and how they must introduce themselves."""

import re

from flask import Request

from sandbox.cliniko.data.accounts import Account, Key
from sandbox.cliniko.errors import Forbidden, NotAcceptable, Unauthorized
from sandbox.cliniko.rate_limit import Limits
from sandbox.cliniko.store import Store

# Reference: docs.api.cliniko.com, "Identifying your application": APP_VENDOR_NAME (APP_VENDOR_EMAIL)
USER_AGENT = re.compile(r"\S.* \([^()\s@]+@[^()\s@]+\.[^()\s@]+\)")


def signed_by(request: Request, store: Store, shard: str) -> Key | None:
    """The key behind a request, revoked or not, or None. Only Basic with an empty password is a signature."""
    sent = request.authorization
    if not sent or sent.type != "basic" or not sent.username or sent.password:
        return None
    return store.find_key(sent.username, shard)


def admit(request: Request, store: Store, limits: Limits, key: Key | None) -> Account:
    """Let a request in to the key's account, or raise what is wrong with it."""
    account = store.account(key.account) if key and not key.revoked else None
    if not key or not account:
        raise denied()
    limits.spend(key.body, store.now(), budget=account.requests_per_minute)
    if not USER_AGENT.fullmatch(request.headers.get("User-Agent", "")):
        raise Forbidden("Your request was blocked: send a User-Agent with a name and a valid contact email.")
    if not request.accept_mimetypes.accept_json:
        raise NotAcceptable("Only application/json is available.")
    return account


def denied() -> Unauthorized:
    return Unauthorized("HTTP Basic: Access denied.", {"WWW-Authenticate": 'Basic realm="Cliniko API"'})
