"""The server and the command line."""

import json
import signal
import socket
import stat
import subprocess
import sys

import pytest
import requests

from sandbox.cliniko.command import main
from sandbox.cliniko.server import serve
from tests.sandbox.conftest import HEADERS


@pytest.fixture
def start(tmp_path):
    """Start the command, wait until it listens, and return the process and its URL."""
    running = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "sandbox.cliniko", "--database", str(tmp_path / "c.sqlite3"), "--port", "0"]
        process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        line = next(line for line in process.stdout or () if line.startswith("Cliniko sandbox on "))
        return process, line.split()[-1].rstrip("/")

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_serve_runs_in_a_thread(app, store):
    with serve(app) as base:
        response = requests.get(f"{base}/api/au1/v1/user", auth=(store.key("bondi"), ""), headers=HEADERS, timeout=5)
    assert response.status_code == 200
    assert response.json()["links"]["self"].startswith(f"{base}/api/au1/v1/users/")
    with pytest.raises(requests.ConnectionError):
        requests.get(base, timeout=5)


def test_a_response_has_one_date_header_from_the_sandboxs_clock(app, store):
    with serve(app) as base:
        for path in ("/api/au1/v1/user", "/bondi/patients", "/nowhere"):
            response = requests.get(base + path, auth=(store.key("bondi"), ""), headers=HEADERS, timeout=5)
            assert response.headers["Date"] == "Mon, 02 Mar 2026 09:00:00 GMT"


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_seeds_writes_keys_and_stops_cleanly(start, tmp_path, signal_number):
    keys_file = tmp_path / "keys.json"
    process, base = start("--account", "bondi:12", "--account", "harbour:3", "--keys-file", str(keys_file))
    keys = json.loads(keys_file.read_text())
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600
    assert {name: key[-4:] for name, key in keys.items()} == {"bondi": "-au1", "harbour": "-au2"}
    for shard, name, count in (("au1", "bondi", 12), ("au2", "harbour", 3)):
        url = f"{base}/api/{shard}/v1/patients?q[]=archived_at:*"
        response = requests.get(url, auth=(keys[name], ""), headers=HEADERS, timeout=5)
        assert response.json()["total_entries"] == count
    process.send_signal(signal_number)
    assert process.wait(5) == 0
    assert process.stderr.read() == ""


def test_changes_survive_a_restart_of_the_command(start):
    process, base = start("--account", "bondi:3")
    requests.post(f"{base}/bondi/patients", data={"first_name": "Niamh"}, timeout=5)
    process.terminate()
    process.wait(5)
    _, base = start("--account", "bondi:3")
    assert "Niamh" in requests.get(f"{base}/bondi/patients", timeout=5).text


def test_the_approved_url_is_an_option(start):
    _, base = start("--account", "bondi:0", "--approve", "http://*.localhost:9000/patients")
    for port, status in ((9000, 200), (8000, 400)):
        form = {"app_name": "Sidechart", "app_url": f"http://bondi.localhost:{port}/patients"}
        assert requests.post(f"{base}/bondi/settings/integrations", data=form, timeout=5).status_code == status


def test_a_port_in_use_is_reported_in_one_sentence(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--database", str(tmp_path / "c.sqlite3"), "--port", str(port), "--account", "bondi:5000"]) == 1
    error = capsys.readouterr().err
    assert (
        error
        == f"sandbox.cliniko: Cannot listen on 127.0.0.1:{port} (the port is taken); choose another with --port.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--account", "Bondi"],
        ["--account", "bondi:many"],
        ["--account", "api:1"],
        ["--port", "x"],
        ["--port", "70000"],
        ["--requests-per-minute", "lots"],
        ["--database", "/dev/null/x"],
    ],
)
def test_bad_input_is_reported_in_one_sentence(tmp_path, capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(main(["--database", str(tmp_path / "c.sqlite3"), "--port", "0", *arguments]))
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("sandbox.cliniko: ")
    assert error.count("\n") == 1


def test_help_lists_the_options(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "--keys-file" in capsys.readouterr().out
