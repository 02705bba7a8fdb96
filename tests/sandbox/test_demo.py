"""The demo in its own checkout: started, used, stopped, killed and started again."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from embedded import processes, services
from sandbox.browser import Browser, FormFields
from sandbox.demo_data import OPERATOR, DemoClinic, DemoOptions
from sandbox.supervisor import Supervisor
from tests.services import ROOT

IGNORED = shutil.ignore_patterns(".git", ".local", ".venv", ".*_cache", "staticfiles", "test-results")
RUNNING = "Sidechart is running"

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("demo")]


@dataclass
class Checkout:
    """A copy of the project in which the demo runs, on free ports."""

    root: Path
    options: DemoOptions = field(default_factory=lambda: DemoOptions(free_port(), free_port(), bondi=6, harbour=3))

    @contextmanager
    def demo(self) -> Iterator[subprocess.Popen[str]]:
        """Run a demo until it has started or ended; kill it after the block."""
        ports = [f"--web-port={self.options.web_port}", f"--cliniko-port={self.options.cliniko_port}"]
        sizes = [f"--bondi={self.options.bondi}", f"--harbour={self.options.harbour}"]
        command = [sys.executable, "-m", "sandbox", "demo", *ports, *sizes]
        with self.output.open("w") as output:
            process = subprocess.Popen(command, cwd=self.root, stdout=output, stderr=subprocess.STDOUT, text=True)
        try:
            wait_for(lambda: RUNNING in self.text() or process.poll() is not None, seconds=120)
            yield process
        finally:
            process.kill()
            process.wait()

    @property
    def output(self) -> Path:
        return self.root / "output"

    def text(self) -> str:
        return self.output.read_text()

    def started(self) -> list[processes.ProcessId]:
        recorded = json.loads((self.root / ".local" / "demo" / "processes.json").read_text())
        return [processes.ProcessId(**known) for known in recorded]

    def alive(self) -> list[int]:
        """Return the ids of processes whose working directory is in this checkout."""
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if working_directory(pid).startswith(str(self.root)) and processes.identify(pid)]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Copy the checkout once for all tests: the first test starts from scratch."""
    copy = Checkout(tmp_path_factory.mktemp("demo") / "sidechart")
    shutil.copytree(ROOT, copy.root, ignore=IGNORED)
    return copy


@pytest.fixture
def checkout(copied: Checkout) -> Iterator[Checkout]:
    """Yield the checkout, and stop all its processes after the test."""
    yield copied
    with Supervisor(copied.root, {}).lock():
        services.stop(copied.root)


def test_the_demo_starts_serves_refuses_a_second_one_and_stops_everything(checkout: Checkout) -> None:
    with checkout.demo() as demo:
        assert RUNNING in checkout.text(), checkout.text()
        again = [sys.executable, "-m", "sandbox", "demo", f"--web-port={free_port()}"]
        refused = subprocess.run(again, cwd=checkout.root, capture_output=True, text=True, check=False)
        assert (refused.returncode, demo.poll()) == (1, None)
        assert refused.stdout == "A demo of this checkout is already running; stop it first (Ctrl-C).\n"
        for clinic in checkout.options.clinics:
            patient = first_patient_in_cliniko(checkout.options, clinic)
            assert patient in launch_from_cliniko(checkout.options, clinic, patient)
        assert OPERATOR.email in checkout.text()
        assert console_requires_second_factor(checkout.options)
        listed = manage(checkout, "clinic", "list", "--json")
        assert [clinic["clinic"] for clinic in json.loads(listed.stdout)] == ["bondi", "harbour"]
        assert (
            f":{checkout.options.web_port}/"
            in manage(checkout, "clinic", "invite", "bondi", "--email", "new@bondi.example").stdout
        )
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=40) == 0
    assert checkout.alive() == []
    refused = manage(checkout, "clinic", "list")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "The demo isn't running. Start it with `make demo`, then try again.\n"


def test_after_kill_9_the_next_demo_ends_the_orphans_keeps_the_data_and_names_a_process_that_ends(
    checkout: Checkout,
) -> None:
    with checkout.demo() as demo:
        assert RUNNING in checkout.text(), checkout.text()
        orphans = checkout.started()
        demo.kill()
        demo.wait()
    assert all(processes.identify(orphan.pid) == orphan for orphan in orphans)
    with checkout.demo() as demo:
        assert RUNNING in checkout.text(), checkout.text()
        assert "First sync" not in checkout.text()
        assert not any(processes.identify(orphan.pid) == orphan for orphan in orphans)
        beat = next(known.pid for known in checkout.started() if " beat " in processes.command_line(known.pid))
        os.kill(beat, signal.SIGKILL)
        assert demo.wait(timeout=40) == 1
    assert "beat ended with status -9" in checkout.text()
    assert checkout.alive() == []


@pytest.mark.parametrize("option", ["WEB_PORT", "CLINIKO_PORT"])
def test_a_port_in_use_is_reported_and_nothing_is_started(checkout: Checkout, option: str) -> None:
    port = checkout.options.web_port if option == "WEB_PORT" else checkout.options.cliniko_port
    with socket.create_server(("127.0.0.1", port)), checkout.demo() as demo:
        assert demo.wait(timeout=20) == 1
    assert checkout.text() == f"Port {port} is in use; choose another one: make demo {option}={port + 1}\n"
    assert checkout.alive() == []


def manage(checkout: Checkout, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", "manage", *words]
    return subprocess.run(command, cwd=checkout.root, capture_output=True, text=True, check=False)


def first_patient_in_cliniko(options: DemoOptions, clinic: DemoClinic) -> str:
    page = Browser().get(options.cliniko_url(clinic)).text
    found = re.search(rf"/{clinic.label}/patients/(\d+)", page)
    assert found is not None
    return found.group(1)


def launch_from_cliniko(options: DemoOptions, clinic: DemoClinic, patient: str) -> str:
    """Click the button, sign in as reception, and return the path of the page."""
    browser, host = Browser(), options.sidechart_url(clinic).rstrip("/")
    button = re.search(rf"{host}/patients\?patient_id={patient}", cliniko_page(options, clinic, patient))
    assert button is not None, "no button in Cliniko"
    sign_in = host + browser.get(button.group()).headers["Location"]
    reception = clinic.people[1]
    credentials = {"login": reception.email, "password": reception.password}
    hidden = [(name, value) for name, value in FormFields(browser.get(sign_in).text).values if name not in credentials]
    path = browser.post(sign_in, [*hidden, *credentials.items()]).headers["Location"]
    assert browser.get(host + path).status_code == 200
    return path


def console_requires_second_factor(options: DemoOptions) -> bool:
    """Sign in to the console as the banner says, and return True if it asks to set up a second factor."""
    browser, host = Browser(), options.console_url.removesuffix("/ops/")
    sign_in = f"{host}/ops/login"
    credentials = {"login": OPERATOR.email, "password": OPERATOR.password}
    hidden = [(name, value) for name, value in FormFields(browser.get(sign_in).text).values if name not in credentials]
    assert browser.post(sign_in, [*hidden, *credentials.items()]).headers["Location"] == "/ops/"
    return browser.get(options.console_url).headers["Location"].startswith("/ops/account/")


def cliniko_page(options: DemoOptions, clinic: DemoClinic, patient: str) -> str:
    return Browser().get(f"{options.cliniko_url(clinic)}/{patient}").text


def working_directory(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.1)
