"""Answers that arrive whole and are odd: what can be read is read, what cannot is kept aside until it can."""

import pytest

from ops import onboarding
from sandbox.cliniko.faults.kinds import Fault
from sync.models import RefusedPayload
from tenants.context import clinic_context
from tests.sync.walk.faults.scenario import Cast, number

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
LISTS = ("patients", "individual_appointments")  # one with optional fields alone, one with some that are needed
DELETED = tuple(f"{name}/deleted" for name in LISTS)
KEEPS_ASIDE = (Fault.UNREADABLE, Fault.MISSING_FIELDS)


@pytest.mark.parametrize("fault", ODD, ids=str)
def test_every_answer_of_an_import_and_a_tick_is_odd_and_a_comparison_ends_equal(cast: Cast, fault: Fault) -> None:
    cast.mirrored(without=LISTS)
    cast.only(*LISTS, *DELETED)
    cast.store.inject_fault("bondi", fault, times=None)
    assert cast.turn()
    assert bool(kept_aside()) == (fault in KEEPS_ASIDE)
    for resource in LISTS:
        cast.edit_many(resource)
    cast.store.delete("bondi", number(5), touch=False)
    cast.only(*LISTS, *DELETED)
    assert cast.turn()
    assert not cast.differences().shown_though_gone
    cast.store.clear_faults("bondi")
    cast.compare_only(*LISTS)
    cast.persist()
    cast.check()


def kept_aside() -> dict[str, int]:
    """How many records are kept aside, by the reason."""
    with clinic_context("bondi"):
        reasons = list(RefusedPayload.objects.values_list("reason", flat=True))
    return {reason: reasons.count(reason) for reason in reasons}


def test_a_record_that_cannot_be_read_is_kept_aside_and_counted_until_it_can(cast: Cast) -> None:
    cast.mirrored(without="patients")
    cast.only("patients")
    cast.store.inject_fault("bondi", Fault.UNREADABLE, resource="patients", times=2)
    cast.persist()
    assert kept_aside() == {"updated_at isn't a time.": 2}
    assert onboarding.report("bondi")["refused_payloads"] == 2
    assert [name.partition("/")[0] for name in cast.differences().missing] == ["patients", "patients"]
    cast.edit_many()
    cast.sync("bondi")
    assert onboarding.report("bondi")["refused_payloads"] == 0
    cast.check()


def test_a_record_that_can_no_longer_be_read_stays_as_it_was_until_it_can(cast: Cast) -> None:
    cast.mirrored()
    cast.store.edit("bondi", "patients", number(0), first_name="After")
    cast.store.inject_fault("bondi", Fault.UNREADABLE, resource="patients", after=1)
    cast.sync("bondi")
    assert sum(kept_aside().values()) == 1
    assert not cast.differences().missing
    assert len(cast.differences().stale) >= 1
    cast.sync("bondi")
    cast.check()


@pytest.mark.parametrize("touch", [True, False], ids=["touched", "untouched"])
def test_a_record_that_cannot_be_read_and_is_deleted_then_counts_no_longer(cast: Cast, touch: bool) -> None:
    cast.mirrored(without="medical_alerts")
    cast.only("medical_alerts", "medical_alerts/deleted")
    cast.store.inject_fault("bondi", Fault.UNREADABLE, resource="medical_alerts", after=1)
    cast.persist()
    (unread,) = (name.partition("/")[2] for name in cast.differences().missing)
    cast.store.delete("bondi", unread, resource="medical_alerts", touch=touch)
    cast.sync("bondi")
    assert onboarding.report("bondi")["refused_payloads"] == 0
    cast.check()
