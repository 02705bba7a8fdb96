"""Odd answers: what can be parsed is stored, the rest is quarantined until it can be."""

import pytest

from ops import onboarding
from sandbox.cliniko.faults.kinds import Fault
from sync.models import RefusedPayload
from tenants.context import clinic_context
from tests.sync.walk.faults.scenario import Scenario, id_at

ODD = [
    Fault.INTEGER_IDS,
    Fault.TEXT_TOTALS,
    Fault.EMPTY_STRINGS,
    Fault.UNKNOWN_FIELDS,
    Fault.MISSING_FIELDS,
    Fault.UNREADABLE,
    Fault.NUL,
    Fault.HUGE_NUMBER,
]
LISTS = ("patients", "individual_appointments")  # one with only optional fields, one with required fields
DELETED = tuple(f"{name}/deleted" for name in LISTS)
QUARANTINED = (Fault.UNREADABLE, Fault.MISSING_FIELDS)


@pytest.mark.parametrize("fault", ODD, ids=str)
def test_comparison_makes_the_mirror_equal_after_odd_answers(scenario: Scenario, fault: Fault) -> None:
    scenario.mark_imported(without=LISTS)
    scenario.only(*LISTS, *DELETED)
    scenario.store.inject_fault("bondi", fault, times=None)
    assert scenario.slice()
    assert bool(quarantined()) == (fault in QUARANTINED)
    for resource in LISTS:
        scenario.edit_many(resource)
    scenario.store.delete("bondi", id_at(5), touch=False)
    scenario.only(*LISTS, *DELETED)
    assert scenario.slice()
    assert not scenario.differences().not_deleted
    scenario.store.clear_faults("bondi")
    scenario.compare_only(*LISTS)
    scenario.sync_until_done()
    scenario.check()


def quarantined() -> dict[str, int]:
    """Return how many records are quarantined, by reason."""
    with clinic_context("bondi"):
        reasons = list(RefusedPayload.objects.values_list("reason", flat=True))
    return {reason: reasons.count(reason) for reason in reasons}


def test_record_that_cannot_be_parsed_is_quarantined_and_counted_until_it_can(scenario: Scenario) -> None:
    scenario.mark_imported(without="patients")
    scenario.only("patients")
    scenario.store.inject_fault("bondi", Fault.UNREADABLE, resource="patients", times=2)
    scenario.sync_until_done()
    assert quarantined() == {"updated_at isn't a time.": 2}
    assert onboarding.report("bondi")["refused_payloads"] == 2
    assert [name.partition("/")[0] for name in scenario.differences().missing] == ["patients", "patients"]
    scenario.edit_many()
    scenario.sync("bondi")
    assert onboarding.report("bondi")["refused_payloads"] == 0
    scenario.check()


def test_record_that_can_no_longer_be_parsed_stays_unchanged_until_it_can(scenario: Scenario) -> None:
    scenario.mark_imported()
    scenario.store.edit("bondi", "patients", id_at(0), first_name="After")
    scenario.store.inject_fault("bondi", Fault.UNREADABLE, resource="patients", after=1)
    scenario.sync("bondi")
    assert sum(quarantined().values()) == 1
    assert not scenario.differences().missing
    assert len(scenario.differences().stale) >= 1
    scenario.sync("bondi")
    scenario.check()


@pytest.mark.parametrize("touch", [True, False], ids=["touched", "untouched"])
def test_quarantined_record_that_is_deleted_no_longer_counts(scenario: Scenario, touch: bool) -> None:
    scenario.mark_imported(without="medical_alerts")
    scenario.only("medical_alerts", "medical_alerts/deleted")
    scenario.store.inject_fault("bondi", Fault.UNREADABLE, resource="medical_alerts", after=1)
    scenario.sync_until_done()
    (unread,) = (name.partition("/")[2] for name in scenario.differences().missing)
    scenario.store.delete("bondi", unread, resource="medical_alerts", touch=touch)
    scenario.sync("bondi")
    assert onboarding.report("bondi")["refused_payloads"] == 0
    scenario.check()
