"""Deletions before the first count of the deleted records."""

from collections.abc import Callable

from sandbox.cliniko.faults.kinds import Fault
from sync.refresh import Outcome, refresh_patient
from sync.walk import run as walk_run
from sync.walk.schedule import mark_all_due
from tenants.context import clinic_context
from tests.cliniko_sandbox import Sandbox

Connect = Callable[[str], Sandbox]


def test_patient_launched_before_the_import_and_deleted_before_its_count_is_not_shown(
    connected: Connect,
) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Gone")
    sandbox.store.add_patient("bondi", id="43", first_name="Here")
    with clinic_context("bondi"):
        assert refresh_patient("42") == Outcome.FRESH
    sandbox.store.delete("bondi", "42")
    sandbox.sync("bondi")
    assert sandbox.mirrored_names("bondi") == {"43": "Here"}


def test_patient_deleted_while_the_list_of_deleted_patients_has_always_failed_is_not_shown(connected: Connect) -> None:
    sandbox = connected("bondi")
    sandbox.store.add_patient("bondi", id="42", first_name="Gone")
    sandbox.store.add_patient("bondi", id="43", first_name="Here")
    sandbox.store.inject_fault("bondi", Fault.FORBIDDEN, resource="patients/deleted", times=None)
    with clinic_context("bondi"):
        walk_run.run_sync()
    sandbox.store.delete("bondi", "42")
    sandbox.store.clear_faults("bondi")
    with clinic_context("bondi"):
        mark_all_due()
    sandbox.sync("bondi")
    assert sandbox.mirrored_names("bondi") == {"43": "Here"}
