"""Return tickets: they carry a page's path through sign-in, so two tabs end on their own two patients.

A ticket is encrypted, so no patient shows in a URL, a browser's history or a log. It contains schema, path and nonce,
is valid for 15 minutes, and travels as `t` in the URLs and forms of sign-in. It is never in the session, which all tabs
share.
"""

import hashlib
import json
import re
import secrets
import time
from urllib.parse import unquote, urlsplit

from cryptography.fernet import InvalidToken, MultiFernet
from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import Resolver404, resolve, reverse

from accounts.models import UsedTicket, User, schema_name
from tenants.sealing import fernet

LIFETIME_SECONDS = 15 * 60

# Starts with one slash and contains printable ASCII only, no backslash: nothing that a browser reads as another host.
_LOCAL_PATH = re.compile(r"/(?!/)[!-\[\]-~]{0,999}")
_TICKET = re.compile(r"[A-Za-z0-9_-]{100,3000}")
_BLOCK_BYTES = 192  # payloads are padded to multiples, so that a ticket's length doesn't reveal the id in it


class InvalidReturnPath(ValueError):
    """The path is no page of this host."""


def issue(path: str, *, now: float | None = None) -> str:
    """Return a ticket to `path` (host-relative, with its query string) at the current clinic or the base host.

    Raises InvalidReturnPath if the path is no page of ours.
    """
    if not _is_page(path):
        raise InvalidReturnPath("A return ticket leads to a page of this clinic only.")
    payload = json.dumps(
        {"clinic": schema_name(), "path": path, "nonce": secrets.token_urlsafe(12)}, separators=(",", ":")
    )
    padded = payload.ljust(-(-len(payload) // _BLOCK_BYTES) * _BLOCK_BYTES)
    token = _fernet().encrypt_at_time(padded.encode(), int(time.time() if now is None else now))
    return token.decode().rstrip("=")


def redeem(ticket: str, request: HttpRequest, *, now: float | None = None) -> str | None:
    """Return the path that `ticket` leads to, or None if it is invalid or expired.

    The first session that redeems a ticket may do so again. No other may: the next person to sign in in this browser
    must not land on the previous one's patient.
    """
    payload = _decrypt(ticket, now=time.time() if now is None else now)
    if payload is None or payload["clinic"] != schema_name() or not _is_page(payload["path"]):
        return None
    if not isinstance(request.user, User) or not request.session.session_key:
        return None
    session_digest = _digest(request.session.session_key)
    used, _ = UsedTicket.objects.get_or_create(
        digest=_digest(payload["nonce"]), defaults={"session_digest": session_digest, "user_id": request.user.pk}
    )
    return payload["path"] if used.session_digest == session_digest else None


def from_request(request: HttpRequest) -> str:
    """Return the ticket in the form or URL, or "" if none has a plausible shape."""
    ticket = request.POST.get("t") or request.GET.get("t") or ""
    return ticket if _TICKET.fullmatch(ticket) else ""


def with_ticket(url: str, request: HttpRequest) -> str:
    """Add the request's ticket to `url`, a URL of ours without a query string."""
    ticket = from_request(request)
    return f"{url}?t={ticket}" if ticket else url


def referring_page(request: HttpRequest) -> str | None:
    """Return the path of our page that sent this form or fragment, from HX-Current-URL or Referer."""
    page = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer", ""))
    if page.netloc != request.get_host():
        return None
    return f"{page.path}?{page.query}" if page.query else page.path


def url_with_return(name: str, path: str | None) -> str:
    """Return the URL with this name, with a ticket back to `path` if that is a page of ours."""
    url = reverse(name)
    try:
        return f"{url}?t={issue(path)}" if path else url
    except InvalidReturnPath:
        return url


def sign_in_url(path: str | None) -> str:
    """Return the sign-in URL, with a ticket back to `path` if that is a page of ours."""
    return url_with_return("account_login", path)


def sign_in_redirect(path: str | None) -> HttpResponseRedirect:
    return HttpResponseRedirect(sign_in_url(path))


def _decrypt(ticket: str, *, now: float) -> dict[str, str] | None:
    if not _TICKET.fullmatch(ticket):
        return None
    token = ticket + "=" * (-len(ticket) % 4)
    try:
        payload: dict[str, str] = json.loads(_fernet().decrypt_at_time(token, LIFETIME_SECONDS, int(now)))
    except InvalidToken:
        return None
    return payload


def _is_page(path: str) -> bool:
    if not _LOCAL_PATH.fullmatch(path):
        return False
    try:
        resolve(unquote(urlsplit(path).path))
    except Resolver404:
        return False
    return True


def _fernet() -> MultiFernet:
    return fernet("return ticket", keys=[str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
