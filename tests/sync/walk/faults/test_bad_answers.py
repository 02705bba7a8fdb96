"""Answers that fail: on every page of an import, of a tick and of a comparison, and the mirror is equal afterwards."""

from dataclasses import dataclass

import pytest

from sandbox.cliniko.faults.kinds import Fault
from sync.cliniko.client import Cliniko
from tests.sync.walk.faults.scenario import MOVING, Cast, number

TIMEOUT = 0.4


@dataclass(frozen=True)
class Case:
    """A fault, the seconds that go with it, and how many requests come before the first it hits."""

    fault: Fault
    seconds: float = 0.0
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.fault}+{self.skip}" if self.skip else str(self.fault)

    def begin(self, cast: Cast, resource: str) -> None:
        """Let every page fail before it comes."""
        cast.store.clear_faults("bondi")
        cast.fail_first(self.fault, resource, seconds=self.seconds, skip=self.skip)


FAILURES = [
    Case(Fault.SERVER_ERROR),
    Case(Fault.BAD_GATEWAY),
    Case(Fault.UNAVAILABLE),
    Case(Fault.UNAUTHORIZED),
    Case(Fault.FORBIDDEN),
    Case(Fault.TOO_MANY, seconds=5),
    Case(Fault.TOO_MANY_BARE),
    Case(Fault.TOO_MANY_PAST),
    Case(Fault.TOO_MANY_HOUR),
    Case(Fault.SLOW, seconds=TIMEOUT * 0.75),
    Case(Fault.DRIP, seconds=TIMEOUT * 2),
    Case(Fault.RESET),
    Case(Fault.TRUNCATED),
    Case(Fault.CUT_SHORT),
    Case(Fault.ERROR_BODY),
    Case(Fault.NOT_JSON),
    Case(Fault.REDIRECT),
    Case(Fault.NO_LINKS),
    Case(Fault.EMPTY_WITH_NEXT),
    Case(Fault.FOREIGN_NEXT),
    Case(Fault.FOREIGN_NEXT, skip=1),
    Case(Fault.LOOPING_NEXT),
    Case(Fault.LOOPING_NEXT, skip=1),
]
OF_EACH_KIND = [Fault.SERVER_ERROR, Fault.FORBIDDEN, Fault.TOO_MANY_PAST, Fault.TRUNCATED]


@pytest.fixture
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gives up soon, where that is what the case is about."""
    defaults = Cliniko.__init__.__kwdefaults__
    if defaults and request.node.callspec.params["case"].fault in (Fault.SLOW, Fault.DRIP):
        monkeypatch.setitem(defaults, "timeout", TIMEOUT)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("case", FAILURES, ids=str)
def test_every_page_of_patients_fails_first_in_an_import_and_a_tick_and_nobody_is_lost(cast: Cast, case: Case) -> None:
    cast.mirrored(without="patients")
    cast.only("patients")
    case.begin(cast, "patients")
    cast.persist()
    assert cast.faults_left() < 12
    cast.check()
    cast.edit_many()
    cast.only("patients")
    case.begin(cast, "patients")
    cast.persist()
    assert cast.faults_left() < 12
    cast.check()


@pytest.mark.parametrize("resource", MOVING[1:])
def test_every_page_of_another_list_fails_first_and_nothing_is_lost(cast: Cast, resource: str) -> None:
    cast.mirrored(without=resource)
    cast.only(resource)
    cast.fail_first(Fault.TRUNCATED, resource)
    assert cast.persist() > 3
    cast.check()
    cast.edit_many(resource)
    cast.only(resource)
    cast.store.clear_faults("bondi")
    cast.fail_first(Fault.SERVER_ERROR, resource)
    assert cast.persist() > 3
    cast.check()


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.TOO_MANY_PAST], ids=str)
def test_every_page_of_a_comparison_fails_first_and_what_was_wrong_is_mended(cast: Cast, fault: Fault) -> None:
    cast.mirrored()
    cast.only()
    cast.spoil("patients")
    cast.fail_first(fault, "patients", hits=30)
    cast.compare_only("patients")
    assert cast.persist() > 3
    cast.check()


@pytest.mark.parametrize("resource", MOVING[1:])
def test_a_comparison_of_any_resource_mends_what_was_wrong(cast: Cast, resource: str) -> None:
    cast.mirrored()
    cast.only()
    cast.spoil(resource)
    assert cast.differences()
    cast.compare_only(resource)
    cast.persist()
    cast.check()


@pytest.mark.parametrize("fault", OF_EACH_KIND, ids=str)
def test_a_list_of_deleted_records_fails_first_and_the_deletion_is_noticed(cast: Cast, fault: Fault) -> None:
    cast.mirrored()
    cast.store.delete("bondi", number(5), resource="attendees", touch=False)
    cast.only("attendees/deleted")
    cast.fail_first(fault, "attendees/deleted")
    assert cast.persist() > 2
    cast.check()


def test_every_other_request_of_all_fails_and_nothing_is_lost(cast: Cast) -> None:
    cast.fail_first(Fault.CUT_SHORT, "", hits=60)
    cast.persist(most=100)
    cast.check()
