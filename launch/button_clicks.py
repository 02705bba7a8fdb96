"""The button in Cliniko: what was heard of it, right or wrong.

The latest click of each kind is kept, and how many there were: what anybody can send counts at most every two seconds,
so that a flood grows nothing, and the clicks of staff count one by one. Whom a click was about is never kept.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.db.models import F, Max, Sum
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from launch.http import is_somebody_looking, names_a_patient
from launch.models import ButtonClick
from sync.signals import account_changed
from tenants.context import current_clinic
from tenants.hosts import clinic_url
from tenants.signals import LaunchTotals, Misdirection, launch_totals_requested, misdirected

NOTE_INTERVAL = timedelta(seconds=2)
_RECENT = timedelta(days=1)  # an older miss was put right, or nobody clicks any more
_PASSING = timedelta(minutes=10)
_ONE_CLICK = timedelta(seconds=10)  # may be wrong in two ways, or be sent on and arrive


class Kind(StrEnum):
    CLICK = "click"  # by somebody signed in, with a patient, at the right address
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


_NO_MISTAKE = (Kind.SIGNED_OUT, Kind.TYPED)
_SENT_ON = (Kind.HTTP, Kind.FORMER_NAME)


@dataclass(frozen=True)
class Heard:
    """The latest click that arrived as it should, and what has come since that did not, latest first."""

    click: ButtonClick | None
    misses: tuple[ButtonClick, ...]

    @property
    def works(self) -> bool:
        return self.click is not None and not self.needs_a_change

    @property
    def needs_a_change(self) -> bool:
        return any(miss.kind not in _NO_MISTAKE for miss in self.misses)

    @property
    def stamp(self) -> str:
        """Another one whenever there is something else to tell."""
        told = (self.click, *self.misses) if self.click else self.misses
        return "-".join(str(int(each.at.timestamp() * 1000)) for each in told)


def address() -> str:
    """What to enter as App URL in Cliniko, letter for letter."""
    return clinic_url(current_clinic().label, "/patients")


def confirmed() -> bool:
    """Whether somebody of the clinic's staff, signed in, has opened a patient with the button in Cliniko."""
    return ButtonClick.objects.filter(kind=Kind.CLICK).exists()


def note(kind: Kind, request: HttpRequest) -> None:
    """Keep that a click of this kind came just now, and who of the staff made it. Only of a page being opened."""
    if request.method != "GET" or not is_somebody_looking(request):
        return
    now, same = timezone.now(), ButtonClick.objects.filter(kind=kind)
    if kind != Kind.CLICK and same.filter(at__gt=now - NOTE_INTERVAL).exists():
        return
    user = getattr(request, "user", None)  # unknown yet where the door itself notes
    who_id = user.pk if user and user.is_authenticated else None
    if not same.update(at=now, who_id=who_id, times=F("times") + 1):
        ButtonClick.objects.bulk_create([ButtonClick(kind=kind, at=now, who_id=who_id)], ignore_conflicts=True)


def heard() -> Heard:
    rows = {row.kind: row for row in ButtonClick.objects.select_related("who")}
    misses = [row for row in rows.values() if row.kind != Kind.CLICK and _goes_on(row, rows)]
    return Heard(rows.get(Kind.CLICK), tuple(sorted(misses, key=lambda row: row.at, reverse=True)))


def _goes_on(miss: ButtonClick, rows: dict[str, ButtonClick]) -> bool:
    """Whether the address in Cliniko is, for all that is known, still as it was at this miss."""
    now = timezone.now()
    lasts = _PASSING if miss.kind in _NO_MISTAKE else _RECENT
    click = rows.get(Kind.CLICK)
    # A browser that is sent on arrives all the same: that click mends nothing.
    mended = click is not None and miss.kind not in _SENT_ON and miss.at <= click.at
    latest = max((row.at for row in rows.values() if row.kind != Kind.TYPED), default=miss.at)
    return miss.at > now - lasts and miss.at > latest - _ONE_CLICK and not mended


@receiver(misdirected)
def note_astray(request: HttpRequest, how: Misdirection, **_: object) -> None:
    if names_a_patient(request):
        note(Kind(how), request)


@receiver(launch_totals_requested)
def totals(**_: object) -> LaunchTotals:
    """Count clicks on the button, signed in or not. Patients opened from search don't count."""
    clicks = ButtonClick.objects.filter(kind__in=(Kind.CLICK, Kind.SIGNED_OUT))
    found = clicks.aggregate(launches=Sum("times"), latest_at=Max("at"))
    return LaunchTotals(found["launches"] or 0, found["latest_at"])


@receiver(account_changed)
def listen_anew(**_: object) -> None:
    """The other account's pages have no button yet, or one that nobody has clicked."""
    ButtonClick.objects.all().delete()
