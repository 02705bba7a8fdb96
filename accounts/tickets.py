"""The return ticket: it carries a page's address through sign-in, so that two tabs end on their own two patients.

A ticket is encrypted, so no patient shows in an address, a history or a log. It names clinic, path and time, lives 15
minutes, travels as `t` in the address and the forms of sign-in and never in the session, which all tabs share.
"""

import hashlib
import json
import re
import secrets
import time
from base64 import urlsafe_b64encode
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import Resolver404, resolve, reverse

from accounts.models import UsedTicket, User, schema_name

LIFETIME_SECONDS = 15 * 60

# Starts with one slash and holds printable ASCII only, no backslash: nothing that a browser reads as another host.
_LOCAL_PATH = re.compile(r"/(?!/)[!-\[\]-~]{0,999}")
_SHAPE = re.compile(r"[A-Za-z0-9_-]{100,3000}")
_PADDED_TO = 192  # bytes, so that a ticket's length tells nothing about the id in it


class InvalidReturnPath(ValueError):
    """A return ticket leads to a page of this clinic only."""


def issue(path: str, *, now: float | None = None) -> str:
    """Make a ticket back to `path` (host-relative, with its query string) at the clinic we are inside of, or of
    the base host.

    Raises InvalidReturnPath when no page of ours is there.
    """
    if not _is_ours(path):
        raise InvalidReturnPath("A return ticket leads to a page of this clinic only.")
    says = {"clinic": schema_name(), "path": path, "nonce": secrets.token_urlsafe(12)}
    plain = json.dumps(says, separators=(",", ":"))
    padded = plain.ljust(-(-len(plain) // _PADDED_TO) * _PADDED_TO)
    token = _keys().encrypt_at_time(padded.encode(), int(time.time() if now is None else now))
    return token.decode().rstrip("=")


def redeem(ticket: str, request: HttpRequest, *, now: float | None = None) -> str | None:
    """The path that `ticket` leads to, for the person signed in; None when it does not count (any more).

    It counts for the session that used it first, as often as that one likes: whoever signs in later in the same browser
    must not land on the patient of the one before.
    """
    says = _open(ticket, now=time.time() if now is None else now)
    if says is None or says["clinic"] != schema_name() or not _is_ours(says["path"]):
        return None
    if not isinstance(request.user, User) or not request.session.session_key:
        return None
    mine = _digest(request.session.session_key)
    used, _ = UsedTicket.objects.get_or_create(
        digest=_digest(says["nonce"]), defaults={"session_digest": mine, "user_id": request.user.pk}
    )
    return says["path"] if used.session_digest == mine else None


def from_request(request: HttpRequest) -> str:
    """The ticket in a sign-in form or address, or "" when there is none of plausible shape."""
    ticket = request.POST.get("t") or request.GET.get("t") or ""
    return ticket if _SHAPE.fullmatch(ticket) else ""


def with_ticket(url: str, request: HttpRequest) -> str:
    """`url`, an address of ours without a query string, with the ticket that the request carries."""
    ticket = from_request(request)
    return f"{url}?t={ticket}" if ticket else url


def referring_page(request: HttpRequest) -> str | None:
    """The page of ours that a form or fragment was sent from, as htmx or the browser tells it."""
    page = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer", ""))
    if page.netloc != request.get_host():
        return None
    return f"{page.path}?{page.query}" if page.query else page.path


def sign_in_url(path: str | None) -> str:
    """The address of sign-in, with a ticket back to `path` when that is a page of ours."""
    sign_in = reverse("account_login")
    try:
        return f"{sign_in}?t={issue(path)}" if path else sign_in
    except InvalidReturnPath:
        return sign_in


def sign_in_redirect(path: str | None) -> HttpResponseRedirect:
    """Send a visitor to sign in and, with a ticket, back to `path`."""
    return HttpResponseRedirect(sign_in_url(path))


def _open(ticket: str, *, now: float) -> dict[str, str] | None:
    if not _SHAPE.fullmatch(ticket):
        return None
    token = ticket + "=" * (-len(ticket) % 4)
    try:
        return json.loads(_keys().decrypt_at_time(token, LIFETIME_SECONDS, int(now)))
    except InvalidToken:
        return None


def _is_ours(path: str) -> bool:
    if not _LOCAL_PATH.fullmatch(path):
        return False
    try:
        resolve(unquote(urlsplit(path).path))
    except Resolver404:
        return False
    return True


def _keys() -> MultiFernet:
    return MultiFernet([_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


@lru_cache(maxsize=8)
def _key(secret: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"accounts.tickets").derive(secret.encode())
    return Fernet(urlsafe_b64encode(derived))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
