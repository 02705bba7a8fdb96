"""How long a sign-in lasts: until it was idle or open for too long, or until somebody ends it."""

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

OPEN_SESSION_ID = "opened"  # in the session: which OpenSession it belongs to
SEEN_INTERVAL = timedelta(seconds=15)  # whoever clicks more often than this costs no more writes
OPERATOR_POLICY: dict[str, Any] = {"require_second_factor_from": date.min, "idle_minutes": 15, "absolute_hours": 8}


@dataclass
class CurrentSession:
    """An open session and the clinic's policy that it is held to."""

    row: OpenSession
    policy: SecurityPolicy

    def ends_at(self) -> datetime:
        idle = self.row.seen_at + timedelta(minutes=self.policy.idle_minutes)
        return min(idle, self.row.started_at + timedelta(hours=self.policy.absolute_hours))

    def seconds_left(self) -> int:
        return max(0, int((self.ends_at() - timezone.now()).total_seconds()))

    def authenticates(self, request: HttpRequest) -> bool:
        """Whether its person may be taken for signed in as they are; if not, Django has a closer look."""
        user = self.row.user
        return user.is_active and constant_time_compare(
            request.session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
        )

    def extend(self) -> None:
        now = timezone.now()
        if now - self.row.seen_at >= SEEN_INTERVAL:
            OpenSession.objects.filter(pk=self.row.pk).update(seen_at=now)
            self.row.seen_at = now


def policy() -> SecurityPolicy:
    """The policy of the clinic we are inside of, or the defaults, unsaved; for ops the one that nobody can loosen."""
    if in_public():
        return SecurityPolicy(**OPERATOR_POLICY)
    return SecurityPolicy.objects.first() or SecurityPolicy()


def start(request: HttpRequest, user: User) -> None:
    row = OpenSession.objects.create(user=user, browser=browser_name(request.headers.get("User-Agent", "")))
    request.session[OPEN_SESSION_ID] = row.pk


def current(request: HttpRequest) -> CurrentSession | None:
    """The open session of this browser, or None when it is over. Person and policy come in the same question."""
    mine = OpenSession.objects.filter(pk=_number(request), user_id=request.session[SESSION_KEY])
    ruled = SecurityPolicy.objects.values(all=JSONObject(**{name: name for name in _RULES}))
    row = mine.select_related("user").annotate(rules=Subquery(ruled)).first()
    held = row and CurrentSession(row, policy() if in_public() else _policy_of(row.rules or {}))
    return held if held and held.ends_at() > timezone.now() else None


_RULES = ("require_second_factor_from", "idle_minutes", "absolute_hours")


def _policy_of(rules: dict[str, Any]) -> SecurityPolicy:
    day = rules.pop("require_second_factor_from", None)
    return SecurityPolicy(**rules, require_second_factor_from=date.fromisoformat(day) if day else None)


def others(request: HttpRequest, user: User) -> QuerySet[OpenSession]:
    """The open sessions of this person but for the one that the request comes in."""
    return user.open_sessions.exclude(pk=_number(request))


def end_current(request: HttpRequest) -> None:
    OpenSession.objects.filter(pk=_number(request)).delete()


def active(held: SecurityPolicy) -> QuerySet[OpenSession]:
    """The open sessions within the limits of this policy, of everybody."""
    now = timezone.now()
    return OpenSession.objects.filter(
        seen_at__gt=now - timedelta(minutes=held.idle_minutes),
        started_at__gt=now - timedelta(hours=held.absolute_hours),
    )


def end(which: QuerySet[OpenSession], *, of: User, by: User) -> int:
    """End those of these sessions that are this person's, at somebody's wish; how many there were."""
    with transaction.atomic():
        ended, _ = which.filter(user=of).delete()
        if ended:
            record(Action.SESSIONS_ENDED, by=by, whom=of.email, sessions=ended)
    return ended


def is_user_activity(request: HttpRequest) -> bool:
    """Whether somebody did something: opened a page, sent a form, or triggered a fragment, as sidechart.js then says.

    What a page asks for by itself, however often, keeps no session open.
    """
    said = request.headers.get("X-User-Action")
    if said or "HX-Request" in request.headers:
        return said == "1"
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate" and "Sec-Purpose" not in request.headers


_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    *(("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("CrOS", "ChromeOS")),
    *(("Mac OS", "Mac"), ("Linux", "Linux")),
)


def browser_name(user_agent: str) -> str:
    """`Chrome on Windows`: enough to know one's own devices again."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "Browser")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return f"{browser} on {system}" if system else browser


def _number(request: HttpRequest) -> int:
    return request.session.get(OPEN_SESSION_ID) or 0
