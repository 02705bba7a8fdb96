"""PostgreSQL, the broker or the worker is lost in the middle of a long import: afterwards the mirror is as Cliniko."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.outage import Outage, fragile

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("outages")]


@pytest.fixture(scope="module")
def outage() -> Iterator[Outage]:
    with fragile() as running:
        yield running


def test_postgresql_stopped_at_once_and_started_again_costs_nothing(outage: Outage) -> None:
    outage.import_again()
    outage.wait_for_patients(300)
    outage.restart_postgres()
    outage.wake()
    outage.wait_until_equal()


def test_a_broker_that_forgets_everything_costs_nothing(outage: Outage) -> None:
    outage.import_again()
    outage.wait_for_patients(300)
    outage.lose_broker()
    outage.wait_until_equal()


def test_a_worker_killed_several_times_comes_to_the_end(outage: Outage) -> None:
    outage.import_again()
    for count in (200, 400, 600):
        outage.wait_for_patients(count)
        outage.kill_worker()
        outage.wake()
        outage.start_worker()
    outage.wait_until_equal()
