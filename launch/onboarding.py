"""The first steps of a new clinic, for its owners and admins.

Whether a step is done is read from what is there; kept is only what somebody put off, and when they had enough.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts import invitations, second_factors
from accounts.models import User
from audit.log import Action, record
from launch import button_clicks
from launch.models import ClinicSettings
from sync import key_entry
from sync.read import status


@dataclass(frozen=True)
class Step:
    """`passed` is what is done or put off."""

    name: str
    title: str
    done: bool
    put_off: bool

    @property
    def passed(self) -> bool:
        return self.done or self.put_off


@dataclass(frozen=True)
class FirstSteps:
    steps: tuple[Step, ...]
    ended: bool

    @property
    def passed(self) -> int:
        return sum(step.passed for step in self.steps)

    @property
    def all_passed(self) -> bool:
        return self.passed == len(self.steps)

    @property
    def next(self) -> Step | None:
        return next((step for step in self.steps if not step.passed), None)


def _has_second_step(user: User) -> bool:
    return second_factors.has_second_factor(user)


def _has_key(_: User) -> bool:
    held = key_entry.current_key()
    return held is not None and held.works


def _is_imported(_: User) -> bool:
    """Whether all that the key may read has been copied once."""
    lists = status.by_resource()
    return any(each.imported for each in lists) and all(each.imported or each.refused for each in lists)


def _has_button(_: User) -> bool:
    return button_clicks.confirmed()


def _has_colleagues(_: User) -> bool:
    return User.objects.filter(is_active=True).count() > 1 or invitations.pending().exists()


# Each with the question whether it is done; those that a clinic can do without can be put off.
_STEPS: dict[str, tuple[str, Callable[[User], bool]]] = {
    "sign-in": ("A second step at sign-in", _has_second_step),
    "key": ("The key to Cliniko", _has_key),
    "import": ("The first copy", _is_imported),
    "button": ("The button in Cliniko", _has_button),
    "colleagues": ("Your colleagues", _has_colleagues),
}
CAN_WAIT = ("sign-in", "button", "colleagues")


def read(user: User) -> FirstSteps:
    """How far this person's clinic has come. The first step is this person's own."""
    held = ClinicSettings.objects.filter(id=1).first() or ClinicSettings()
    steps = (
        Step(name, title, is_done(user), name in held.first_steps_put_off) for name, (title, is_done) in _STEPS.items()
    )
    return FirstSteps(tuple(steps), held.first_steps_ended_at is not None)


def open_ones(user: User) -> FirstSteps | None:
    """The first steps while there is one to take, and nobody has had enough of them."""
    if ClinicSettings.objects.exclude(first_steps_ended_at=None).exists():
        return None
    found = read(user)
    if not found.all_passed:
        return found
    ClinicSettings.objects.update_or_create(id=1, defaults={"first_steps_ended_at": timezone.now()})
    return None


def put_off(name: str, *, by: User) -> None:
    """Raises KeyError for a step that does not exist or cannot wait."""
    title = {name: _STEPS[name][0] for name in CAN_WAIT}[name]
    with transaction.atomic():
        held, _ = ClinicSettings.objects.select_for_update().get_or_create(id=1)
        if name not in held.first_steps_put_off:
            held.first_steps_put_off = [*held.first_steps_put_off, name]
            held.save(update_fields=["first_steps_put_off"])
            record(Action.SETTINGS_CHANGED, by=by, first_steps=f"later: {title}")


def end(*, by: User) -> None:
    """Ask nobody on the home page any more."""
    _set_ended(True, by=by)


def take_up_again(*, by: User) -> None:
    """Those that were put off count again, too."""
    _set_ended(False, by=by)


def _set_ended(ended: bool, *, by: User) -> None:
    with transaction.atomic():
        held, _ = ClinicSettings.objects.select_for_update().get_or_create(id=1)
        nothing_to_take_up = ended or not held.first_steps_put_off
        if ended == (held.first_steps_ended_at is not None) and nothing_to_take_up:
            return
        held.first_steps_ended_at = timezone.now() if ended else None
        held.first_steps_put_off = held.first_steps_put_off if ended else []
        held.save(update_fields=["first_steps_ended_at", "first_steps_put_off"])
        record(Action.SETTINGS_CHANGED, by=by, first_steps="ended" if ended else "taken up again")
