"""Cliniko's rate limit: no request before it resets, whatever form the 429 has, and nothing is lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sandbox.cliniko.faults.kinds import Fault
from sync.cliniko.errors import RateLimited
from sync.connection import state as connection_state
from sync.models import Connection
from sync.refresh import Outcome, refresh_patient
from sync.walk import run as walk_run
from tenants.context import clinic_context
from tests.sync.walk.faults.scenario import Scenario, id_at

FORMS = [
    (Fault.TOO_MANY, 25, timedelta(seconds=25)),
    (Fault.TOO_MANY_BARE, 0, timedelta(seconds=60)),
    (Fault.TOO_MANY_PAST, 0, timedelta(seconds=1)),
    (Fault.TOO_MANY_HOUR, 0, timedelta(hours=1)),
]


@pytest.mark.parametrize(("work", "nth"), [("import", 2), ("tick", 3)])
@pytest.mark.parametrize(("fault", "seconds", "pause"), FORMS, ids=[str(form[0]) for form in FORMS])
def test_no_request_is_made_before_the_rate_limit_resets_and_nothing_is_lost(
    scenario: Scenario, fault: Fault, seconds: float, pause: timedelta, work: str, nth: int
) -> None:
    scenario.mark_imported(without="patients" if work == "import" else "")
    scenario.edit_many()
    scenario.only("patients")
    scenario.store.inject_fault("bondi", fault, resource="patients", after=nth - 1, seconds=seconds)
    with clinic_context("bondi"):
        with pytest.raises(RateLimited):
            walk_run.run_sync(everything=False)
        connection = connection_state.load()
        assert connection.state == Connection.State.RATE_LIMITED
        assert connection.resume_at is not None
        assert abs(connection.resume_at - timezone.now() - pause) < timedelta(seconds=3)
        requests = scenario.store.count_requests()
        Connection.objects.update(resume_at=timezone.now() + timedelta(minutes=1))
        assert walk_run.run_slice(seconds=5, pages=5).resume_at is not None
        assert refresh_patient(id_at(0)) == Outcome.RATE_LIMITED
        with pytest.raises(RateLimited):
            walk_run.run_sync()
        assert scenario.store.count_requests() == requests
    scenario.skip_waits()
    scenario.sync("bondi")
    scenario.check()
