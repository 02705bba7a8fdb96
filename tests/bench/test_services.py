"""Two benches at once would measure each other."""

import fcntl
from pathlib import Path

import pytest

from bench import services
from bench.places import BenchError


def test_a_second_bench_of_the_checkout_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "HOME", tmp_path)
    with (tmp_path / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BenchError, match="Another bench"), services.running_services():
            pass
