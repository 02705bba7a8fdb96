"""Record clicks on the button in Cliniko, so that the clinic can see whether its URL is right.

One row per kind: the latest click, and a count. Kinds that anyone can send count at most every two seconds, so that a
flood adds no rows and few writes; clicks by signed-in staff all count. The patient is never stored.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import F, Max, Sum
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from launch.http import has_patient_id, is_page_load
from launch.models import ButtonClick
from sync.signals import account_changed
from tenants.context import current_clinic
from tenants.hosts import clinic_url
from tenants.signals import LaunchTotals, Misdirection, launch_totals_requested, misdirected

COUNT_INTERVAL = timedelta(seconds=2)
_MISTAKE_SHOWN_FOR = timedelta(days=1)  # after that the URL was corrected, or the button isn't used
_OTHER_SHOWN_FOR = timedelta(minutes=10)
_ONE_CLICK = timedelta(seconds=10)  # one click may record two kinds: two mistakes, or a redirect and its target


class Kind(StrEnum):
    """What a click reached. All but the first three are mistakes in the App URL that was entered in Cliniko."""

    CLICK = "click"  # a signed-in user, with a patient, at the right URL
    SIGNED_OUT = "signed_out"
    TYPED = "typed"
    HTTP = "http"
    NO_PATH = "no_path"
    SINGULAR = "singular"
    CAPITALS = "capitals"
    MORE_PATH = "more_path"
    OTHER_PATH = "other_path"
    NO_ID = "no_id"
    BAD_ID = "bad_id"
    OTHER_ACCOUNT = "other_account"
    TWO_LEVELS = "two_levels"
    FORMER_NAME = "former_name"

    @property
    def is_mistake(self) -> bool:
        return self not in (Kind.CLICK, Kind.SIGNED_OUT, Kind.TYPED)


_REDIRECTED = (Kind.HTTP, Kind.FORMER_NAME)


@dataclass(frozen=True)
class ButtonStatus:
    """The latest click that worked, and current clicks that didn't, latest first."""

    click: ButtonClick | None
    misses: tuple[ButtonClick, ...]

    @property
    def works(self) -> bool:
        return self.click is not None and not any(Kind(miss.kind).is_mistake for miss in self.misses)

    @property
    def stamp(self) -> str:
        """Return a string that changes whenever the status does."""
        rows = (self.click, *self.misses) if self.click else self.misses
        return "-".join(str(int(row.clicked_at.timestamp() * 1000)) for row in rows)


def app_url() -> str:
    """Return the App URL to enter in Cliniko."""
    return clinic_url(current_clinic().label, "/patients")


def url_parts() -> dict[str, str]:
    """Return the parts of the App URL that launch.messages.BUTTON_MESSAGES names."""
    label, (scheme, _, host) = current_clinic().label, clinic_url(current_clinic().label, "").partition("://")
    return {"scheme": scheme, "host": host, "label": label, "base": settings.BASE_DOMAIN}


def has_worked() -> bool:
    """Return True if a signed-in user has opened a patient with the button in Cliniko."""
    return ButtonClick.objects.filter(kind=Kind.CLICK).exists()


def record_click(kind: Kind, request: HttpRequest) -> None:
    """Record a click of this kind and the user, if the request loads a page."""
    if request.method != "GET" or not is_page_load(request):
        return
    now, same = timezone.now(), ButtonClick.objects.filter(kind=kind)
    if kind != Kind.CLICK and same.filter(clicked_at__gt=now - COUNT_INTERVAL).exists():
        return
    user = getattr(request, "user", None)  # missing when tenants.middleware sends `misdirected`
    user_id = user.pk if user and user.is_authenticated else None
    if not same.update(clicked_at=now, user_id=user_id, count=F("count") + 1):
        click = ButtonClick(kind=kind, clicked_at=now, user_id=user_id)
        ButtonClick.objects.bulk_create([click], ignore_conflicts=True)


def status() -> ButtonStatus:
    rows = {row.kind: row for row in ButtonClick.objects.select_related("user")}
    misses = [row for row in rows.values() if row.kind != Kind.CLICK and _is_current(row, rows)]
    return ButtonStatus(rows.get(Kind.CLICK), tuple(sorted(misses, key=lambda row: row.clicked_at, reverse=True)))


def _is_current(miss: ButtonClick, rows: dict[str, ButtonClick]) -> bool:
    """Return True if, as far as we know, the App URL in Cliniko is still the one that led to this miss."""
    kind, click = Kind(miss.kind), rows.get(Kind.CLICK)
    shown_for = _MISTAKE_SHOWN_FOR if kind.is_mistake else _OTHER_SHOWN_FOR
    # A redirected browser arrives at the right URL: that click doesn't mean that the App URL was corrected.
    corrected = click is not None and kind not in _REDIRECTED and miss.clicked_at <= click.clicked_at
    latest = max((row.clicked_at for row in rows.values() if row.kind != Kind.TYPED), default=miss.clicked_at)
    is_recent = miss.clicked_at > timezone.now() - shown_for and miss.clicked_at > latest - _ONE_CLICK
    return is_recent and not corrected


@receiver(misdirected)
def record_misdirected(request: HttpRequest, how: Misdirection, **_: object) -> None:
    if has_patient_id(request):
        record_click(Kind(how), request)


@receiver(launch_totals_requested)
def totals(**_: object) -> LaunchTotals:
    """Count clicks on the button, signed in or not. Patients opened from search don't count."""
    clicks = ButtonClick.objects.filter(kind__in=(Kind.CLICK, Kind.SIGNED_OUT))
    found = clicks.aggregate(launches=Sum("count"), latest_at=Max("clicked_at"))
    return LaunchTotals(found["launches"] or 0, found["latest_at"])


@receiver(account_changed)
def delete_all(**_: object) -> None:
    """Delete all clicks: the new Cliniko account has no button yet, or one that no one has clicked."""
    ButtonClick.objects.all().delete()
