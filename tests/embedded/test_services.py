"""PostgreSQL and a broker for a machine that has neither."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dj_database_url
import kombu
import psycopg
import pytest

from embedded import postgres, processes, services
from embedded.paths import MAX_SOCKET_PATH
from embedded.postgres import Postgres
from embedded.valkey import Valkey
from tests.services import ROOT

BOTH = {"postgres", "valkey"}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Yield an empty checkout directory, and stop its services afterwards."""
    yield tmp_path
    services.stop(tmp_path)


def connect(root: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(services.postgres_url(root), autocommit=True)


def server(root: Path) -> int:
    return int((Postgres(root).data / "postmaster.pid").read_text().split()[0])


def test_urls_need_no_installed_package() -> None:
    code = "import sys; sys.path.insert(0, '.'); from pathlib import Path; from embedded import services as e;"
    code += "print(e.postgres_url(Path('.')), e.broker_url(Path('.')))"
    output = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert output.stdout.split() == [services.postgres_url(ROOT), services.broker_url(ROOT)]


def test_django_and_celery_accept_the_urls() -> None:
    root = Path("/a place/sidechart")
    database = dj_database_url.parse(services.postgres_url(root))
    assert database["OPTIONS"] == {"host": "/a place/sidechart/.local/postgres"}
    assert (database["NAME"], database["USER"], database["PORT"]) == ("sidechart", "sidechart", 5432)
    assert kombu.Connection(services.broker_url(root)).transport_cls == "redis"


def test_a_socket_path_too_long_for_the_system_is_replaced_by_a_short_one() -> None:
    deep, other = Path("/" + "deep/" * 30), Path("/" + "other/" * 30)
    for service in (Postgres, Valkey):
        assert len(service(deep).url.partition("host=")[2]) <= MAX_SOCKET_PATH
        assert service(deep).url == service(deep).url != service(other).url
        assert service(Path("/short")).url.count("/short/.local/") == 1


def test_both_work_in_a_deep_directory_with_spaces(tmp_path: Path) -> None:
    root = tmp_path / ("a space " + "and more " * 12)
    root.mkdir()
    with (
        services.running(root, fsync=False),
        connect(root) as database,
        kombu.Connection(services.broker_url(root)) as b,
    ):
        assert database.execute("SELECT lower('ÅNGSTRÖM')").fetchone() == ("ångström",)
        b.SimpleQueue("q").put("message")
        assert b.SimpleQueue("q").get(timeout=5).payload == "message"


def test_start_and_stop_are_idempotent(root: Path) -> None:
    assert set(services.start(root, fsync=False)) == BOTH
    assert services.start(root, fsync=False) == []
    assert set(services.stop(root)) == BOTH
    assert services.stop(root) == []
    assert not any(services.status(root).values())


def test_running_stops_only_what_it_started(root: Path) -> None:
    services.start(root, fsync=False)
    with services.running(root):
        pass
    assert all(services.status(root).values())


def test_data_and_messages_survive_kill_9(root: Path) -> None:
    services.start(root)
    with connect(root) as database, kombu.Connection(services.broker_url(root)) as broker:
        database.execute("CREATE TABLE answers AS SELECT 42 AS answer")
        broker.SimpleQueue("q").put("message")
    time.sleep(1.1)  # Valkey fsyncs the append-only file every second
    for pid in (server(root), int((Valkey(root).home / "pid").read_text())):
        os.kill(pid, signal.SIGKILL)
    assert set(services.start(root)) == BOTH
    with connect(root) as database, kombu.Connection(services.broker_url(root)) as broker:
        assert database.execute("SELECT answer FROM answers").fetchone() == (42,)
        assert broker.SimpleQueue("q").get(timeout=5).payload == "message"


def test_a_stale_pid_file_is_ignored(root: Path) -> None:
    services.start(root, fsync=False)
    services.stop(root)
    Postgres(root).data.joinpath("postmaster.pid").write_text(f"{os.getpid()}\n{Postgres(root).data}\n1\n5432\n")
    (Valkey(root).home / "pid").write_text(f"{os.getpid()}\n")
    assert services.stop(root) == []
    assert set(services.start(root, fsync=False)) == BOTH


def test_other_users_have_no_access_to_the_sockets(root: Path) -> None:
    services.start(root, fsync=False)
    for directory in (Postgres(root).sockets, Valkey(root).socket.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_root_can_use_a_checkout_in_a_closed_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.chmod(0o700)
    (root / "bin").symlink_to(postgres.binaries())
    monkeypatch.setattr(postgres, "binaries", lambda: root / "bin")
    assert "postgres" in services.start(root, fsync=False)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_directory_of_another_user_is_refused(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / ".local").mkdir()
    (root / ".local" / "postgres").symlink_to(elsewhere)
    with pytest.raises(services.ServiceError, match="belongs to another user"):
        services.start(root)


def test_concurrent_starts_start_each_service_once(root: Path) -> None:
    code = "import sys, pathlib; from embedded import services; print(services.start(pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(root)]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(each.communicate()[0].strip() for each in both) == ["['postgres', 'valkey']", "[]"]


def test_terminating_a_process_terminates_its_children() -> None:
    command = ["bash", "-c", "trap '' TERM; sleep 1000 & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as stubborn:
        assert stubborn.stdout is not None
        child = int(stubborn.stdout.readline())
        process_id = processes.identify(stubborn.pid)
        assert process_id is not None
        processes.terminate([process_id], patience=0.2)
        stubborn.wait(timeout=5)
    deadline = time.monotonic() + 5
    while processes.identify(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes.identify(child) is None


def test_a_process_with_a_reused_id_is_not_terminated() -> None:
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as other:
        processes.terminate([processes.ProcessId(other.pid, started="long ago")], patience=0.2)
        assert other.poll() is None
        other.kill()
