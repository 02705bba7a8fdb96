"""If PostgreSQL, the broker or the worker fails during a long import, the mirror still ends equal to Cliniko."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.outage import Outage, running_outage

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("outages")]


@pytest.fixture(scope="module")
def outage() -> Iterator[Outage]:
    with running_outage() as running:
        yield running


def test_an_import_survives_a_restart_of_postgresql(outage: Outage) -> None:
    outage.import_again()
    outage.wait_for_patients(300)
    outage.restart_postgres()
    outage.mark_due()
    outage.wait_until_equal()


def test_an_import_survives_a_broker_that_loses_everything(outage: Outage) -> None:
    outage.import_again()
    outage.wait_for_patients(300)
    outage.lose_broker()
    outage.wait_until_equal()


def test_an_import_finishes_although_the_worker_is_killed_several_times(outage: Outage) -> None:
    outage.import_again()
    for count in (200, 400, 600):
        outage.wait_for_patients(count)
        outage.kill_worker()
        outage.mark_due()
        outage.start_worker()
    outage.wait_until_equal()
