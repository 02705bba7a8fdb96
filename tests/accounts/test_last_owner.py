"""Two owners who take each other's role at the same moment: one of them stays owner."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts import staff
from accounts.models import User
from accounts.roles import Role
from audit.models import Event

AtOnce = Callable[..., list[Any]]
Change = Callable[[User, User], None]
OWNERS = ("first.owner@clinic.example", "second.owner@clinic.example")


def demote(person: User, by: User) -> None:
    staff.change_role(person, Role.ADMIN, by=by)


def suspend(person: User, by: User) -> None:
    staff.suspend(person, by=by)


def step_down(_: User, by: User) -> None:
    staff.change_role(by, Role.READONLY, by=by)


@pytest.fixture
def owners(at_once: AtOnce) -> Iterator[list[User]]:
    """Two owners of bondi whom every connection sees, and no other."""
    at_once(lambda: [User.objects.create(email=email, name=email, role=Role.OWNER) for email in OWNERS])
    yield at_once(lambda: list(User.objects.filter(email__in=OWNERS).order_by("pk")))[0]
    at_once(User.objects.filter(email__in=OWNERS).delete)


@pytest.fixture(autouse=True)
def slow_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that takes a while, so that who comes second comes before the first one is done."""
    record = staff.record

    def slowly(*args: Any, **details: Any) -> Event:
        time.sleep(0.3)
        return record(*args, **details)

    monkeypatch.setattr(staff, "record", slowly)


@pytest.mark.parametrize(
    ("one", "other"), [(demote, demote), (suspend, suspend), (demote, suspend), (step_down, step_down)]
)
def test_of_two_changes_at_once_one_happens(at_once: AtOnce, owners: list[User], one: Change, other: Change) -> None:
    first, second = owners
    outcomes = at_once(lambda: one(second, first), lambda: other(first, second))
    assert sorted(type(outcome).__name__ for outcome in outcomes if outcome) in (["ChangeRefused"], ["LastOwner"])
    left, lines = at_once(_owners_left, Event.objects.count)
    assert len(left) == 1
    assert lines == 1


def _owners_left() -> list[User]:
    return list(User.objects.filter(email__in=OWNERS, role=Role.OWNER, is_active=True))
