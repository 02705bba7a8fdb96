"""The onboarding steps of a new clinic, for its owners and admins.

Whether a step is done is read from the clinic's data. Stored are only the steps that were postponed, and when
onboarding finished.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts import invitations, second_factors
from accounts.models import User
from audit.log import Action, record
from launch import button_clicks
from launch.messages import ONBOARDING_TITLES
from launch.models import ClinicSettings
from sync import key_entry
from sync.read import patients, status

POSTPONABLE = ("sign-in", "button", "colleagues")


@dataclass(frozen=True)
class Step:
    name: str
    title: str
    done: bool
    postponed: bool

    @property
    def is_open(self) -> bool:
        return not (self.done or self.postponed)


@dataclass(frozen=True)
class Onboarding:
    steps: tuple[Step, ...]

    @property
    def completed(self) -> int:
        """Return how many steps are done or postponed."""
        return sum(not step.is_open for step in self.steps)

    @property
    def is_complete(self) -> bool:
        return self.next is None

    @property
    def next(self) -> Step | None:
        return next((step for step in self.steps if step.is_open), None)


def _has_working_key(_: User) -> bool:
    key = key_entry.current_key()
    return key is not None and key.works


def _is_imported(_: User) -> bool:
    """Return True if everything that the key may read has been imported once."""
    resources = status.by_resource()
    return any(each.imported for each in resources) and all(each.imported or each.refused for each in resources)


def _has_colleagues(_: User) -> bool:
    return User.objects.filter(is_active=True).count() > 1 or invitations.pending().exists()


_IS_DONE: dict[str, Callable[[User], bool]] = {
    "sign-in": second_factors.has_second_factor,
    "key": _has_working_key,
    "import": _is_imported,
    "button": lambda _: button_clicks.has_worked(),
    "colleagues": _has_colleagues,
}


def onboarding(user: User) -> Onboarding:
    """Return the clinic's onboarding steps. The first step is about this user."""
    postponed = _settings().onboarding_postponed
    word = patients.clinic_facts().patient_word
    return Onboarding(
        tuple(
            Step(name, ONBOARDING_TITLES[name].format(patient=word), is_done(user), name in postponed)
            for name, is_done in _IS_DONE.items()
        )
    )


def unfinished(user: User) -> Onboarding | None:
    """Return the onboarding while a step is open and no user has hidden it. Mark it finished when none is open."""
    if _settings().onboarding_finished_at:
        return None
    found = onboarding(user)
    if not found.is_complete:
        return found
    ClinicSettings.objects.update_or_create(id=1, defaults={"onboarding_finished_at": timezone.now()})
    return None


def postpone(name: str, *, by: User) -> None:
    """Leave a step for later. Raises KeyError for a step that doesn't exist or can't be postponed."""
    if name not in POSTPONABLE:
        raise KeyError(name)
    with transaction.atomic():
        row, _ = ClinicSettings.objects.select_for_update().get_or_create(id=1)
        if name not in row.onboarding_postponed:
            row.onboarding_postponed = [*row.onboarding_postponed, name]
            row.save(update_fields=["onboarding_postponed"])
            record(Action.SETTINGS_CHANGED, by=by, onboarding=f"postponed: {name}")


def finish(*, by: User) -> None:
    """Stop reminding owners and admins on the home page."""
    with transaction.atomic():
        row, _ = ClinicSettings.objects.select_for_update().get_or_create(id=1)
        if row.onboarding_finished_at is None:
            row.onboarding_finished_at = timezone.now()
            row.save(update_fields=["onboarding_finished_at"])
            record(Action.SETTINGS_CHANGED, by=by, onboarding="finished")


def resume(*, by: User) -> None:
    """Remind again, including about postponed steps."""
    with transaction.atomic():
        row, _ = ClinicSettings.objects.select_for_update().get_or_create(id=1)
        if row.onboarding_finished_at or row.onboarding_postponed:
            row.onboarding_finished_at, row.onboarding_postponed = None, []
            row.save(update_fields=["onboarding_finished_at", "onboarding_postponed"])
            record(Action.SETTINGS_CHANGED, by=by, onboarding="resumed")


def _settings() -> ClinicSettings:
    return ClinicSettings.objects.filter(id=1).first() or ClinicSettings()
