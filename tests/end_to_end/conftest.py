"""One stack for all tests of this folder; they run in one process of pytest-xdist (see xdist_group)."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack"), worker=worker_id) as running:
        yield running
