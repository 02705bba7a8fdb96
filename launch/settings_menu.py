"""The pages of the clinic settings, each with a one-line summary of its state."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.urls import reverse

from accounts import invitations, sessions
from accounts.models import User
from accounts.roles import Permission, may
from audit.models import Event
from launch import button_clicks, messages
from sync import excluded_fields, key_entry, retention
from sync.read import status
from tenants.dates import ago, as_date


@dataclass(frozen=True)
class MenuEntry:
    """A settings page. Call `summary` inside the clinic, with its time zone active."""

    url_name: str
    title: str
    permission: Permission
    summary: Callable[[], str]

    @property
    def url(self) -> str:
        return reverse(self.url_name)


def entries(user: User) -> Iterator[MenuEntry]:
    """Yield the pages that the user may open, in the menu's order."""
    return (entry for entry in ENTRIES if may(user, entry.permission))


def _key() -> str:
    key = key_entry.current_key()
    if key is None:
        return messages.MENU_NO_KEY
    if not key.works:
        return messages.MENU_KEY_REFUSED.format(last4=key.last4)
    return messages.MENU_KEY.format(last4=key.last4, account=key.account, user=key.user)


def _sync() -> str:
    mirror = status.current()
    if mirror.sentence or mirror.checked_at is None:
        return mirror.sentence
    return messages.MENU_SYNC.format(ago=ago(mirror.checked_at))


def _button() -> str:
    text = messages.MENU_BUTTON_WORKS if button_clicks.has_worked() else messages.MENU_BUTTON_UNTESTED
    return text.format(url=button_clicks.app_url())


def _staff() -> str:
    people, invited = User.objects.filter(is_active=True).count(), invitations.pending().count()
    sentences = [messages.counted(messages.MENU_STAFF, people)]
    if invited:
        sentences.append(messages.counted(messages.MENU_INVITED, invited))
    return " ".join(sentences)


def _security() -> str:
    policy = sessions.policy()
    start = as_date(policy.require_second_factor_from)
    two_step = messages.MENU_TWO_STEP_FROM.format(date=start) if start else messages.MENU_TWO_STEP_OPTIONAL
    return f"{two_step} {messages.MENU_IDLE.format(minutes=policy.idle_minutes)}"


def _access() -> str:
    latest = Event.objects.order_by("-id").first()
    if latest is None:
        return messages.MENU_LOG_EMPTY
    return messages.MENU_LOG.format(count=latest.pk, ago=ago(latest.occurred_at))


def _privacy() -> str:
    groups = ", ".join(group.label for group in excluded_fields.excluded_groups())
    stored = messages.MENU_NOT_STORED.format(groups=groups) if groups else messages.MENU_ALL_STORED
    return f"{stored} {messages.MENU_RETENTION.format(days=retention.policy().deleted_days)}"


ENTRIES = (
    MenuEntry("key", "API key", Permission.MANAGE_KEY, _key),
    MenuEntry("sync", "Sync", Permission.VIEW_SETTINGS, _sync),
    MenuEntry("button", "Button", Permission.VIEW_SETTINGS, _button),
    MenuEntry("staff", "Staff", Permission.MANAGE_STAFF, _staff),
    MenuEntry("security", "Security", Permission.MANAGE_SECURITY, _security),
    MenuEntry("privacy", "Privacy", Permission.VIEW_SETTINGS, _privacy),
    MenuEntry("access", "Access log", Permission.VIEW_LOG, _access),
    MenuEntry("export", "Export", Permission.EXPORT_CLINIC, lambda: messages.MENU_EXPORT),
)
