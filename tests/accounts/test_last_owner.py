"""Of two owners who demote each other concurrently, one stays owner."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts import staff
from accounts.models import User
from accounts.roles import Role
from audit.log import record
from audit.models import Event

RunConcurrently = Callable[..., list[Any]]
Change = Callable[[User, User], None]
OWNERS = ("first.owner@clinic.example", "second.owner@clinic.example")


def demote(person: User, by: User) -> None:
    staff.change_role(person, Role.ADMIN, by=by)


def suspend(person: User, by: User) -> None:
    staff.suspend(person, by=by)


def step_down(_: User, by: User) -> None:
    staff.change_role(by, Role.READONLY, by=by)


@pytest.fixture
def owners(run_concurrently: RunConcurrently) -> Iterator[list[User]]:
    """Two committed owners of bondi, its only ones."""
    run_concurrently(lambda: [User.objects.create(email=email, name=email, role=Role.OWNER) for email in OWNERS])
    yield run_concurrently(lambda: list(User.objects.filter(email__in=OWNERS).order_by("pk")))[0]
    run_concurrently(User.objects.filter(email__in=OWNERS).delete)


@pytest.fixture(autouse=True)
def slow_audit_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit log so slow that the second change starts before the first is done."""

    def slowly(*args: Any, **details: Any) -> Event:
        time.sleep(0.3)
        return record(*args, **details)

    monkeypatch.setattr(staff, "record", slowly)


@pytest.mark.parametrize(
    ("one", "other"), [(demote, demote), (suspend, suspend), (demote, suspend), (step_down, step_down)]
)
def test_of_two_concurrent_changes_one_is_refused(
    run_concurrently: RunConcurrently, owners: list[User], one: Change, other: Change
) -> None:
    first, second = owners
    outcomes = run_concurrently(lambda: one(second, first), lambda: other(first, second))
    assert sorted(type(outcome).__name__ for outcome in outcomes if outcome) in (["ChangeRefused"], ["LastOwner"])
    owners_left, events = run_concurrently(_owners_left, Event.objects.count)
    assert len(owners_left) == 1
    assert events == 1


def _owners_left() -> list[User]:
    return list(User.objects.filter(email__in=OWNERS, role=Role.OWNER, is_active=True))
