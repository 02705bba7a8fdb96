"""Two benches of a checkout can't run at the same time."""

import fcntl
from pathlib import Path

import pytest

from bench import services
from bench.paths import BenchError


def test_a_second_bench_of_the_checkout_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "HOME", tmp_path)
    with (tmp_path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BenchError, match="Another bench"), services.running_services():
            pass
