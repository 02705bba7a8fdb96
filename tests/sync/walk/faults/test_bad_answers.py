"""Failing answers on every page of an import, a tick and a comparison: the mirror is equal afterwards."""

from dataclasses import dataclass

import pytest

from sandbox.cliniko.faults.kinds import Fault
from sync.cliniko.client import Cliniko
from tests.sync.walk.faults.scenario import CHANGING, Scenario, id_at

TIMEOUT = 0.4


@dataclass(frozen=True)
class Case:
    """A fault, its seconds, and how many requests succeed before the first that fails."""

    fault: Fault
    seconds: float = 0.0
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.fault}+{self.skip}" if self.skip else str(self.fault)

    def begin(self, scenario: Scenario, resource: str) -> None:
        """Make every page fail once."""
        scenario.store.clear_faults("bondi")
        scenario.fail_first(self.fault, resource, seconds=self.seconds, skip=self.skip)


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
ONE_OF_EACH_KIND = [Fault.SERVER_ERROR, Fault.FORBIDDEN, Fault.TOO_MANY_PAST, Fault.TRUNCATED]


@pytest.fixture
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the client's timeout for the cases of slow answers."""
    defaults = Cliniko.__init__.__kwdefaults__
    if defaults and request.node.callspec.params["case"].fault in (Fault.SLOW, Fault.DRIP):
        monkeypatch.setitem(defaults, "timeout", TIMEOUT)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("case", FAILURES, ids=str)
def test_no_patient_is_lost_when_every_page_of_an_import_and_a_tick_fails_first(scenario: Scenario, case: Case) -> None:
    scenario.mark_imported(without="patients")
    scenario.only("patients")
    case.begin(scenario, "patients")
    scenario.sync_until_done()
    assert scenario.faults_left() < 12
    scenario.check()
    scenario.edit_many()
    scenario.only("patients")
    case.begin(scenario, "patients")
    scenario.sync_until_done()
    assert scenario.faults_left() < 12
    scenario.check()


@pytest.mark.parametrize("resource", CHANGING[1:])
def test_nothing_is_lost_when_every_page_of_another_list_fails_first(scenario: Scenario, resource: str) -> None:
    scenario.mark_imported(without=resource)
    scenario.only(resource)
    scenario.fail_first(Fault.TRUNCATED, resource)
    assert scenario.sync_until_done() > 3
    scenario.check()
    scenario.edit_many(resource)
    scenario.only(resource)
    scenario.store.clear_faults("bondi")
    scenario.fail_first(Fault.SERVER_ERROR, resource)
    assert scenario.sync_until_done() > 3
    scenario.check()


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.TOO_MANY_PAST], ids=str)
def test_comparison_corrects_the_mirror_when_every_page_fails_first(scenario: Scenario, fault: Fault) -> None:
    scenario.mark_imported()
    scenario.only()
    scenario.corrupt("patients")
    scenario.fail_first(fault, "patients", times=30)
    scenario.compare_only("patients")
    assert scenario.sync_until_done() > 3
    scenario.check()


@pytest.mark.parametrize("resource", CHANGING[1:])
def test_comparison_corrects_every_resource(scenario: Scenario, resource: str) -> None:
    scenario.mark_imported()
    scenario.only()
    scenario.corrupt(resource)
    assert scenario.differences()
    scenario.compare_only(resource)
    scenario.sync_until_done()
    scenario.check()


@pytest.mark.parametrize("fault", ONE_OF_EACH_KIND, ids=str)
def test_deletion_is_found_when_the_list_of_deleted_records_fails_first(scenario: Scenario, fault: Fault) -> None:
    scenario.mark_imported()
    scenario.store.delete("bondi", id_at(5), resource="attendees", touch=False)
    scenario.only("attendees/deleted")
    scenario.fail_first(fault, "attendees/deleted")
    assert scenario.sync_until_done() > 2
    scenario.check()


def test_nothing_is_lost_when_every_other_request_fails(scenario: Scenario) -> None:
    scenario.fail_first(Fault.CUT_SHORT, "", times=60)
    scenario.sync_until_done(max_slices=100)
    scenario.check()
