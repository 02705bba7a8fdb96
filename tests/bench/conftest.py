from collections.abc import Iterator

import pytest

from bench.services import fake_cliniko


@pytest.fixture(scope="module")
def api_url() -> Iterator[str]:
    """Run the fake Cliniko API with 250 patients in its own process and yield its URL."""
    with fake_cliniko(250) as url:
        yield url
