"""Times, ages, permissions and marks in templates."""

from datetime import date, datetime

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts.models import in_public
from accounts.roles import Permission
from accounts.roles import may as role_may
from launch.drafts import Offer
from sync.read import patients

register = template.Library()
CHANGED = ' <a class="changed" href="#changed">changed</a>'


@register.filter
def from_now(moment: datetime) -> str:
    """`today`, `tomorrow`, `in 5 days`, `3 weeks ago`: by the calendar of the page's time zone."""
    days = (timezone.localtime(moment).date() - timezone.localdate()).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}
    if days in near:
        return near[days]
    number, unit = _span(abs(days))
    words = f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"in {words}" if days > 0 else f"{words} ago"


@register.filter
def years_old(born: date | None) -> str:
    """The age in whole years for a line in a list; `under 1` for babies."""
    if born is None:
        return ""
    today = timezone.localdate()
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return str(years) if years > 0 else "under 1"


@register.simple_tag
def may(user: object, permission: str) -> bool:
    """`{% may request.user "VIEW_SETTINGS" as manages %}`."""
    return role_may(user, Permission[permission])


@register.simple_tag
def clinic_time_zone() -> str:
    """`{% clinic_time_zone as zone %}{% timezone zone %}`, on pages that know nothing of the mirror."""
    return "UTC" if in_public() else patients.clinic_facts().time_zone


@register.simple_tag(takes_context=True)
def offer_for(context: Context, note_id: int | None) -> Offer | None:
    """`{% offer_for note.pk as offer %}`: what this person has typed over the note, or None as a new one, unsaved."""
    offers: dict[int | None, Offer] = context.get("offers") or {}
    return offers.get(note_id)


@register.simple_tag(takes_context=True)
def changed(context: Context, field: str) -> SafeString:
    """`{% changed "email" %}`: the mark beside a field that is not as this person last saw it, or nothing."""
    marks = context.get("changed")
    return mark_safe(CHANGED) if marks and field in marks.fields else SafeString()  # noqa: S308 - our own words


@register.simple_tag(takes_context=True)
def not_kept(context: Context, name: str) -> str:
    """`{% not_kept "notes" as missing %}`: why these fields of the record are not here, or nothing when they are."""
    record = context.get("record")
    groups = record.not_kept if record else ()
    return next((each.sentence for each in groups if each.group.name == name), "")


def _span(days: int) -> tuple[int, str]:
    """A number of days as people say it: weeks from two on, months from two on, then years."""
    for since, length, unit in ((365, 365, "year"), (61, 30, "month"), (14, 7, "week")):
        if days >= since:
            return days // length, unit
    return days, "day"
