"""One stack for all tests of this folder, which run in one process of pytest-xdist (see xdist_group)."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.end_to_end.pages import CLEO, DOV, expect_patient, open_patient, sign_in
from tests.end_to_end.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack"), worker=worker_id) as running:
        yield running


@pytest.fixture(scope="session")
def patients(stack: Stack) -> dict[str, str]:
    """The Cliniko IDs of two patients of bondi, by name."""
    return {
        CLEO: stack.store.add_patient("bondi", first_name="Cleo", last_name="Marchetti"),
        DOV: stack.store.add_patient("bondi", first_name="Dov", last_name="Halloran"),
    }


@pytest.fixture
def timed_page(stack: Stack, page: Page, patients: dict[str, str]) -> Page:
    """A page on Cleo whose clock the test controls."""
    page.clock.install()
    open_patient(stack, page, patients[CLEO])
    sign_in(page, stack.person("bondi"))
    expect_patient(page, CLEO)
    page.wait_for_load_state("networkidle")  # a late response would reset the page's countdown
    return page
