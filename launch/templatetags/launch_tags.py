"""Template tags and filters for relative days, ages, permissions, change marks and drafts."""

from datetime import date, datetime
from typing import Any

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts.models import in_public
from accounts.roles import Permission
from accounts.roles import may as role_may
from launch.drafts import RestoredDraft
from launch.settings_menu import entries
from sync.read import patients

register = template.Library()
CHANGED = ' <a class="changed" href="#changed">changed</a>'
_UNITS = ((365, 365, "year"), (61, 30, "month"), (14, 7, "week"), (2, 1, "day"))  # (from this many days, length, unit)


@register.filter
def from_now(moment: datetime) -> str:
    """Return `today`, `tomorrow`, `in 5 days` or `3 weeks ago`, counting calendar days in the active time zone."""
    days = (timezone.localtime(moment).date() - timezone.localdate()).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}
    if days in near:
        return near[days]
    count, unit = next((abs(days) // length, unit) for least, length, unit in _UNITS if abs(days) >= least)
    span = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"in {span}" if days > 0 else f"{span} ago"


@register.filter
def years_old(born: date | None) -> str:
    """Return the age in whole years, `under 1` for babies, "" for None."""
    if born is None:
        return ""
    today = timezone.localdate()
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return str(years) if years > 0 else "under 1"


@register.simple_tag
def may(user: object, permission: str) -> bool:
    """`{% may request.user "VIEW_SETTINGS" as manages %}`: return True if the user's role has the permission."""
    return role_may(user, Permission[permission])


@register.simple_tag
def clinic_time_zone() -> str:
    """`{% clinic_time_zone as zone %}{% timezone zone %}`: return the clinic's time zone; UTC on the base host."""
    return "UTC" if in_public() else patients.clinic_facts().time_zone


@register.simple_tag(takes_context=True)
def draft_for(context: Context, note_id: int | None) -> RestoredDraft | None:
    """`{% draft_for note.pk as draft %}`: return the user's draft for this note (None: for a new note), or None."""
    drafts: dict[int | None, RestoredDraft] = context.get("drafts") or {}
    return drafts.get(note_id)


@register.simple_tag(takes_context=True)
def changed(context: Context, field: str) -> SafeString:
    """`{% changed "email" %}`: return the mark for a field that changed since the user's previous view, or ""."""
    changes = context.get("changes")
    return mark_safe(CHANGED) if changes and field in changes.fields else SafeString()  # noqa: S308 - a constant


@register.simple_tag(takes_context=True)
def not_stored(context: Context, name: str) -> str:
    """`{% not_stored "notes" as missing %}`: return why this field group of the record isn't stored, or ""."""
    record = context.get("record")
    groups = record.not_stored if record else ()
    return next((each.sentence for each in groups if each.group.name == name), "")


@register.inclusion_tag("launch/_settings_nav.html", takes_context=True)
def settings_nav(context: Context) -> dict[str, Any]:
    """`{% settings_nav %}`: render the tabs at the top of each settings page."""
    request = context["request"]
    here = request.resolver_match.url_name if request.resolver_match else ""
    return {"entries": list(entries(request.user)), "here": here}
