"""A refused setting ends every process with one sentence; a running web server survives it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.project.production import production_environment, run_python
from tests.services import ROOT

PROCESSES = [
    ("-m", "gunicorn", "saas.wsgi"),
    ("-m", "celery", "-A", "saas", "worker"),
    ("-m", "celery", "-A", "saas", "beat"),
    ("manage.py", "migrate"),
    ("manage.py", "clinic", "list"),
]


@pytest.mark.parametrize("words", PROCESSES, ids=" ".join)
def test_a_refused_setting_ends_the_process_with_one_sentence(words: tuple[str, ...]) -> None:
    run = run_python(*words, SECRET_KEY="short")
    assert run.returncode == 1
    assert run.stderr == "SECRET_KEY must be at least 50 random characters.\n"
    assert not run.stdout


class Web:
    """Gunicorn with two workers, whose settings are refused while `state` doesn't exist."""

    def __init__(self, state: Path, log: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.state, self._log = state, log
        words = ["-m", "gunicorn", "saas.wsgi", f"--bind=127.0.0.1:{self.port}", "--workers=2"]
        env = production_environment(STATE_DIRECTORY=str(state))
        with log.open("w") as output:
            self.process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=env, stderr=output)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def answers(self) -> bool:
        with suppress(OSError), closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("GET", "/healthz", headers={"Host": "sidechart.example"})
            return connection.getresponse().status == 200
        return False

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    state = tmp_path / "state"
    state.mkdir()
    server = Web(state, tmp_path / "web.log")
    try:
        wait_until(server.answers)
        yield server
    finally:
        server.process.terminate()
        server.process.wait(timeout=30)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_running_server_keeps_its_workers_while_its_settings_are_refused(web: Web) -> None:
    before = web.workers()
    web.state.rmdir()
    web.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "Not reloaded: STATE_DIRECTORY must be" in web.log)
    assert web.workers() == before
    assert web.answers()

    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: "Worker not started: STATE_DIRECTORY must be" in web.log)
    time.sleep(1)  # long enough for hundreds of respawns
    assert web.log.count("Worker not started") == 1
    assert web.answers()

    web.state.mkdir()
    web.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not set(before) & set(web.workers()) and web.answers())
