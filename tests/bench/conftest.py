from collections.abc import Iterator

import pytest

from bench.services import instant_api


@pytest.fixture(scope="module")
def instant() -> Iterator[str]:
    """The instant API with 250 patients, in a process of its own; its address."""
    with instant_api(250) as address:
        yield address
