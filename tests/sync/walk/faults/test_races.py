"""A launch and a page, or two workers, at the same records at the same time: the later question wins."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sandbox.cliniko.faults.kinds import Fault
from sync.cliniko.client import Cliniko
from sync.cliniko.errors import ClinikoError
from sync.models import Connection
from sync.refresh import Outcome, refresh_patient
from sync.walk import run as walk_run
from sync.walk.lease import LeaseHeld, LeaseLost
from tenants.context import clinic_context
from tests.sync.walk.faults.scenario import Cast, number

WHO = number(0)


def edit(cast: Cast) -> None:
    cast.store.edit("bondi", "patients", WHO, first_name="After")


def edit_within_the_second(cast: Cast) -> None:
    held = cast.store.patient("bondi", WHO)
    assert held is not None
    cast.store.edit("bondi", "patients", WHO, first_name="After", updated_at=held.updated_at)


def archive(cast: Cast) -> None:
    cast.store.archive("bondi", WHO)


def merge(cast: Cast) -> None:
    cast.store.merge("bondi", WHO, number(1))


def delete(cast: Cast) -> None:
    cast.store.delete("bondi", WHO)


def delete_untouched(cast: Cast) -> None:
    cast.store.delete("bondi", WHO, touch=False)


CHANGES = [edit, edit_within_the_second, archive, merge, delete, delete_untouched]
named = pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))


def answered_then(monkeypatch: pytest.MonkeyPatch, method: str, resource: str, meanwhile: Callable[[], None]) -> None:
    """The first answer of this kind has arrived; before anything is done with it, the rest of the world goes on."""
    real = getattr(Cliniko, method)
    done: list[str] = []

    def asked(self: Cliniko, name: str, *words: Any, **named: Any) -> Any:
        answer = real(self, name, *words, **named)
        if name == resource and not named.get("subset") and not done:
            done.append(name)
            meanwhile()
        return answer

    monkeypatch.setattr(Cliniko, method, asked)


def launched() -> None:
    assert refresh_patient(WHO) in (Outcome.FRESH, Outcome.UNKNOWN)


def ticked() -> None:
    assert walk_run.run_sync(everything=False)


IN_BOTH = [(change, "") for change in CHANGES] + [(change, "patients") for change in (edit, merge, delete_untouched)]


@pytest.mark.parametrize(("change", "without"), IN_BOTH, ids=lambda each: getattr(each, "__name__", each or "tick"))
def test_a_launch_overtakes_a_page(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, change: Callable[[Cast], None], without: str
) -> None:
    cast.mirrored(without=without)
    cast.store.edit("bondi", "patients", WHO, first_name="Before")
    cast.store.add_alert("bondi", number(1), "New")

    def meanwhile() -> None:
        change(cast)
        launched()

    cast.only("patients", "patients/deleted")
    answered_then(monkeypatch, "list", "patients", meanwhile)
    cast.persist()
    if not (without and change in (delete, delete_untouched)):  # of whom nobody knew, there is no tombstone yet
        assert not [name for name in told(cast) if WHO in name]
    cast.sync("bondi")
    cast.check()


@named
def test_a_page_overtakes_a_launch(cast: Cast, monkeypatch: pytest.MonkeyPatch, change: Callable[[Cast], None]) -> None:
    cast.mirrored()
    cast.store.edit("bondi", "patients", WHO, first_name="Before")

    def meanwhile() -> None:
        change(cast)
        ticked()

    cast.only("patients", "patients/deleted")
    answered_then(monkeypatch, "record", "patients", meanwhile)
    with clinic_context("bondi"):
        assert refresh_patient(WHO) == Outcome.FRESH
    assert not [name for name in told(cast) if WHO in name]
    cast.sync("bondi")
    cast.check()


def told(cast: Cast) -> tuple[str, ...]:
    found = cast.differences()
    of_patients = (*found.missing, *found.stale, *found.shown_though_gone)
    return tuple(name for name in of_patients if name.startswith("patients/"))


def test_a_second_worker_meets_the_lease_and_asks_nothing(cast: Cast) -> None:
    cast.mirrored(without="patients")
    met: list[int] = []

    def second(*_: object) -> None:
        asked = cast.store.count_requests()
        with pytest.raises(LeaseHeld):
            walk_run.run_sync(everything=False)
        assert walk_run.run_slice(seconds=1, pages=5) == walk_run.SliceOutcome()
        met.append(cast.store.count_requests() - asked)

    with clinic_context("bondi"):
        assert walk_run.run_sync(pages=200, on_page=second)
    assert len(met) > 3
    cast.check()


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("without", ["", "patients"], ids=["tick", "import"])
def test_a_worker_that_slept_beyond_its_lease_writes_nothing_over_the_next_one(
    cast: Cast, nth: int, without: str
) -> None:
    """The first worker falls asleep after some page; the second does all, while Cliniko goes on changing."""
    cast.mirrored(without=without)
    cast.edit_many()
    cast.only("patients")
    pages: list[str] = []

    def fall_asleep(*_: object) -> None:
        pages.append("patients")
        if len(pages) == nth:
            Connection.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
            edit(cast)
            assert walk_run.run_sync(everything=False)
            edit(cast)
            Connection.objects.update(lease_token="00000000-0000-0000-0000-000000000001", lease_until=None)

    with clinic_context("bondi"), suppress(LeaseLost):
        walk_run.run_sync(everything=False, on_page=fall_asleep)
    assert len(pages) == nth
    assert not [name for name in told(cast) if WHO not in name]
    cast.sync("bondi")
    cast.check()


def test_a_dead_workers_lease_ends_by_itself(cast: Cast) -> None:
    cast.mirrored(without="patients")
    with clinic_context("bondi"):
        Connection.objects.update(
            lease_token="00000000-0000-0000-0000-000000000001", lease_until=timezone.now() + timedelta(seconds=90)
        )
        with pytest.raises(LeaseHeld):
            walk_run.run_sync()
        Connection.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert walk_run.run_sync()
    cast.check()


def test_a_launch_while_lists_fail_still_shows_what_is_now(cast: Cast) -> None:
    cast.mirrored()
    edit(cast)
    cast.fail_first(Fault.NOT_JSON, "patients")
    with clinic_context("bondi"):
        with pytest.raises(ClinikoError):
            walk_run.run_sync()
        assert refresh_patient(WHO) == Outcome.FRESH
    assert not told(cast)
    cast.persist()
    cast.store.clear_faults("bondi")
    cast.sync("bondi")
    cast.check()
