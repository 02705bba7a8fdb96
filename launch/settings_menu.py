"""What there is to set at a clinic: one entry a page, each with a line that says how it stands."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.urls import reverse

from accounts import invitations, sessions
from accounts.models import User
from accounts.roles import Permission, may
from audit.models import Event
from launch import button_clicks
from sync import excluded_fields, key_entry, retention
from sync.read import status
from tenants.dates import ago, as_date


@dataclass(frozen=True)
class Entry:
    """A page of the settings. `line` is asked inside the clinic, with its time zone in force."""

    route: str
    title: str
    permission: Permission
    line: Callable[[], str]

    @property
    def url(self) -> str:
        return reverse(self.route)


def entries(user: User) -> Iterator[Entry]:
    """Those that this person may open, in the order of the page."""
    return (entry for entry in ENTRIES if may(user, entry.permission))


def _key() -> str:
    held = key_entry.current_key()
    if held is None:
        return "None yet. Without one nothing can be copied from Cliniko."
    if not held.works:
        return f"Cliniko refuses the key …{held.last4}. A new one is needed."
    return f"…{held.last4} of {held.account}, made by {held.user}."


def _sync() -> str:
    now = status.current()
    if now.sentence or now.checked_at is None:
        return now.sentence
    return f"All is well. Last checked {ago(now.checked_at)}."


def _button() -> str:
    return f"{'Works' if button_clicks.confirmed() else 'Not clicked yet'}: {button_clicks.address()}"


def _staff() -> str:
    people, invited = User.objects.filter(is_active=True).count(), invitations.pending().count()
    words = f"{people} {'person' if people == 1 else 'people'} may sign in"
    return f"{words}, {invited} invitation{'' if invited == 1 else 's'} open." if invited else f"{words}."


def _security() -> str:
    policy = sessions.policy()
    start = as_date(policy.require_second_factor_from)
    step = f"Everybody needs a second step from {start}." if start else "Each person decides about a second step."
    return f"{step} Signed out after {policy.idle_minutes} idle minutes."


def _access() -> str:
    latest = Event.objects.order_by("-id").first()
    return f"{latest.pk:,} lines, the latest {ago(latest.occurred_at)}." if latest else "Nothing in it yet."


def _privacy() -> str:
    left_out = [group.label for group in excluded_fields.excluded_groups()]
    kept = f"Not stored: {', '.join(left_out)}." if left_out else "All groups of fields are stored."
    return f"{kept} Deleted patients go after {retention.policy().deleted_days} days."


ENTRIES = (
    Entry("key", "Key", Permission.MANAGE_KEY, _key),
    Entry("sync", "Sync", Permission.VIEW_SETTINGS, _sync),
    Entry("button", "Button", Permission.VIEW_SETTINGS, _button),
    Entry("staff", "Staff", Permission.MANAGE_STAFF, _staff),
    Entry("security", "Security", Permission.MANAGE_SECURITY, _security),
    Entry("privacy", "Privacy", Permission.VIEW_SETTINGS, _privacy),
    Entry("access", "Access log", Permission.VIEW_LOG, _access),
    Entry("export", "Export", Permission.EXPORT_CLINIC, lambda: "All that is held of the clinic, in one file."),
)
