"""Transport faults, against the sandbox's server."""

import socket
import time
from base64 import b64encode

import pytest
import requests

from sandbox.cliniko.faults.kinds import Fault
from sandbox.cliniko.server import serve
from tests.sandbox.conftest import HEADERS


@pytest.fixture
def ask(app, store):
    """Request bondi's patients from the running server."""
    store.add_patient("bondi", first_name="Ada", last_name="Beach")
    with serve(app) as base:

        def ask(timeout: float = 5) -> requests.Response:
            url = f"{base}/api/au1/v1/patients"
            return requests.get(url, auth=(store.key("bondi"), ""), headers=HEADERS, timeout=timeout)

        ask.base = base  # type: ignore[attr-defined]
        yield ask


@pytest.fixture
def raw(ask, store):
    """Return head, body and whether the connection was reset, from the raw bytes of a response."""
    credentials = b64encode(f"{store.key('bondi')}:".encode()).decode()
    head = "".join(
        f"{name}: {value}\r\n" for name, value in {**HEADERS, "Authorization": f"Basic {credentials}"}.items()
    )

    def raw() -> tuple[bytes, bytes, bool]:
        host, _, port = ask.base.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(f"GET /api/au1/v1/patients HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
            received, was_reset = b"", False
            try:
                while part := connection.recv(65_536):
                    received += part
            except ConnectionResetError:
                was_reset = True
        start, _, body = received.partition(b"\r\n\r\n")
        return start, body, was_reset

    return raw


def content_length(head):
    (length,) = (line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return int(length)


def test_a_response_without_a_fault_is_complete(raw):
    head, body, was_reset = raw()
    assert (content_length(head), was_reset) == (len(body), False)


def test_reset_resets_the_connection_within_the_body(raw, ask, store, capfd):
    store.inject_fault("bondi", Fault.RESET, times=2)
    head, body, was_reset = raw()
    assert was_reset
    assert 0 < len(body) == content_length(head) // 2
    with pytest.raises(requests.RequestException):
        ask()
    assert ask().json()["total_entries"] == 1
    assert capfd.readouterr().err == ""


def test_cut_short_ends_before_content_length(raw, ask, store):
    store.inject_fault("bondi", Fault.CUT_SHORT, times=2)
    head, body, was_reset = raw()
    assert (len(body), was_reset) == (content_length(head) // 2, False)
    with pytest.raises(requests.RequestException):
        ask()
    assert ask().json()["total_entries"] == 1


def test_truncated_has_a_matching_content_length(raw, ask, store):
    store.inject_fault("bondi", Fault.TRUNCATED, times=2)
    head, body, was_reset = raw()
    assert (content_length(head), was_reset) == (len(body), False)
    with pytest.raises(requests.JSONDecodeError):
        ask().json()


def test_drip_never_exceeds_the_read_timeout(ask, store):
    store.inject_fault("bondi", Fault.DRIP, seconds=0.6)
    started = time.perf_counter()
    assert ask(timeout=0.3).json()["total_entries"] == 1
    assert time.perf_counter() - started >= 0.55


def test_a_clock_fault_sends_a_single_date_header(ask, store):
    store.inject_fault("bondi", Fault.CLOCK_AHEAD, seconds=3600)
    assert ask().headers["Date"] == "Mon, 02 Mar 2026 10:00:00 GMT"


def test_slow_causes_a_read_timeout(ask, store):
    store.inject_fault("bondi", Fault.SLOW, seconds=0.8)
    with pytest.raises(requests.ReadTimeout):
        ask(timeout=0.2)


def test_other_requests_are_served_during_a_slow_response(ask, store):
    store.inject_fault("bondi", Fault.SLOW, seconds=1.5)
    with pytest.raises(requests.ReadTimeout):
        ask(timeout=0.1)
    started = time.perf_counter()
    assert ask().status_code == 200
    assert time.perf_counter() - started < 1
