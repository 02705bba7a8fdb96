"""Sign-in sessions: they end when idle or open for too long, or when someone ends them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from django.db.models import QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import OpenSession, SecurityPolicy, User, in_public
from audit.log import Action, record

OPEN_SESSION_ID = "open_session_id"  # in the Django session
SEEN_INTERVAL = timedelta(seconds=15)  # at most one write per interval, however much a user clicks
OPERATOR_POLICY: dict[str, Any] = {"require_second_factor_from": date.min, "idle_minutes": 15, "absolute_hours": 8}
_POLICY_FIELDS = tuple(OPERATOR_POLICY)


@dataclass
class CurrentSession:
    """The request's open session and the policy that applies to it."""

    row: OpenSession
    policy: SecurityPolicy

    def ends_at(self) -> datetime:
        idle = self.row.seen_at + timedelta(minutes=self.policy.idle_minutes)
        return min(idle, self.row.started_at + timedelta(hours=self.policy.absolute_hours))

    def seconds_left(self) -> int:
        return max(0, int((self.ends_at() - timezone.now()).total_seconds()))

    def authenticates(self, request: HttpRequest) -> bool:
        """Return True if the row's user is certainly signed in. If False, Django's own check decides."""
        user = self.row.user
        return user.is_active and constant_time_compare(
            request.session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
        )

    def extend(self) -> None:
        now = timezone.now()
        if now - self.row.seen_at >= SEEN_INTERVAL:
            OpenSession.objects.filter(pk=self.row.pk).update(seen_at=now)
            self.row.seen_at = now


class SignedInRequest(HttpRequest):
    """A request that passed SignInRequiredMiddleware."""

    user: User
    current_session: CurrentSession


def policy() -> SecurityPolicy:
    """Return the current clinic's policy, or unsaved defaults. Operators have a fixed one."""
    if in_public():
        return SecurityPolicy(**OPERATOR_POLICY)
    return SecurityPolicy.objects.first() or SecurityPolicy()


def start(request: HttpRequest, user: User) -> None:
    row = OpenSession.objects.create(user=user, browser=browser_name(request.headers.get("User-Agent", "")))
    request.session[OPEN_SESSION_ID] = row.pk


def current(request: HttpRequest) -> CurrentSession | None:
    """Return the browser's open session, or None once it is over. One query loads user and policy too."""
    rows = OpenSession.objects.filter(pk=_session_id(request), user_id=request.session[SESSION_KEY])
    policies = SecurityPolicy.objects.values(all=JSONObject(**{name: name for name in _POLICY_FIELDS}))
    row = rows.select_related("user").annotate(policy_fields=Subquery(policies)).first()
    if row is None:
        return None
    session = CurrentSession(row, policy() if in_public() else _policy_from_json(row.policy_fields or {}))
    return session if session.ends_at() > timezone.now() else None


def _policy_from_json(fields: dict[str, Any]) -> SecurityPolicy:
    day = fields.pop("require_second_factor_from", None)
    return SecurityPolicy(**fields, require_second_factor_from=date.fromisoformat(day) if day else None)


def others(request: HttpRequest, user: User) -> QuerySet[OpenSession]:
    """Return the user's open sessions except the request's own."""
    return user.open_sessions.exclude(pk=_session_id(request))


def end_current(request: HttpRequest) -> None:
    OpenSession.objects.filter(pk=_session_id(request)).delete()


def active(policy: SecurityPolicy) -> QuerySet[OpenSession]:
    """Return all users' sessions that are within this policy's limits."""
    now = timezone.now()
    return OpenSession.objects.filter(
        seen_at__gt=now - timedelta(minutes=policy.idle_minutes),
        started_at__gt=now - timedelta(hours=policy.absolute_hours),
    )


def end(sessions: QuerySet[OpenSession], *, of: User, by: User) -> int:
    """End those of the sessions that belong to `of`. Return how many. Raises AuditUnavailable."""
    with transaction.atomic():
        ended, _ = sessions.filter(user=of).delete()
        if ended:
            record(Action.SESSIONS_ENDED, by=by, person=of.email, sessions=ended)
    return ended


def is_user_activity(request: HttpRequest) -> bool:
    """Return True if a user acted: opened a page, sent a form, or triggered a fragment (sidechart.js says so).

    Requests that a page sends on its own never keep a session open.
    """
    header = request.headers.get("X-User-Action")
    if header or "HX-Request" in request.headers:
        return header == "1"
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate" and "Sec-Purpose" not in request.headers


_BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_MOBILE = {"iPhone": "iPhone", "iPad": "iPad", "Android": "Android"}  # their user agents also name Mac OS or Linux
_SYSTEMS = _MOBILE | {"Windows": "Windows", "CrOS": "ChromeOS", "Mac OS": "Mac", "Linux": "Linux"}


def browser_name(user_agent: str) -> str:
    """Return a name like `Chrome on Windows`, enough for users to recognise their devices."""
    browser = next((name for token, name in _BROWSERS.items() if token in user_agent), "Browser")
    system = next((name for token, name in _SYSTEMS.items() if token in user_agent), "")
    return f"{browser} on {system}" if system else browser


def _session_id(request: HttpRequest) -> int:
    return request.session.get(OPEN_SESSION_ID) or 0
