"""A real worker and beat keep the mirror up to date, even when the worker is killed."""

import os
import signal

import pytest

from sandbox.cliniko.store import Store
from tests.end_to_end.stack import Stack, start_worker, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("stack")]


def mirrored_names(stack: Stack, label: str) -> dict[str, str]:
    return dict(stack.rows(label, "SELECT cliniko_id, payload->>'first_name' FROM sync_patient"))


def first_patient(store: Store, label: str) -> str:
    return store.add_patient(label, first_name="Before", last_name="Edit")


def test_a_patient_edited_in_cliniko_is_in_the_mirror_after_the_next_ticks(stack: Stack) -> None:
    cliniko_id = first_patient(stack.store, "bondi")
    wait_until(lambda: cliniko_id in mirrored_names(stack, "bondi"), what="a new patient")
    stack.store.edit("bondi", "patients", cliniko_id, first_name="After")
    wait_until(lambda: mirrored_names(stack, "bondi")[cliniko_id] == "After", what="the edit")


def test_both_clinics_store_their_own_patients_under_the_same_ids(stack: Stack) -> None:
    bondi, harbour = mirrored_names(stack, "bondi"), mirrored_names(stack, "harbour")
    shared = bondi.keys() & harbour.keys()
    assert shared, "the two accounts share no patient IDs"
    for label, names in (("bondi", bondi), ("harbour", harbour)):
        for cliniko_id in shared:
            record = stack.store.patient(label, cliniko_id)
            assert record is not None
            assert names[cliniko_id] == record.body["first_name"]


def test_the_next_worker_continues_after_one_was_killed(stack: Stack) -> None:
    worker = stack.supervisor.child("worker")
    os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    stack.supervisor.forget(worker)
    stack.mark_due("harbour")
    cliniko_id = first_patient(stack.store, "harbour")
    start_worker(stack)
    wait_until(lambda: cliniko_id in mirrored_names(stack, "harbour"), seconds=120, what="the next worker")


def test_logs_contain_no_keys_and_no_patients(stack: Stack) -> None:
    logs = stack.log_text()
    assert logs
    for label in ("bondi", "harbour"):
        assert stack.store.key(label) not in logs
        for cliniko_id, name in mirrored_names(stack, label).items():
            assert cliniko_id not in logs
            assert f'"{name}"' not in logs
