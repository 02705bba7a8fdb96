"""Faults of the delivery, against the sandbox's own server."""

import socket
import time
from base64 import b64encode

import pytest
import requests

from sandbox.cliniko.faults.kinds import Fault
from sandbox.cliniko.server import serve
from tests.sandbox.conftest import MANNERS


@pytest.fixture
def ask(app, store):
    """Ask the running server for bondi's patients; answers what the library makes of it."""
    store.add_patient("bondi", first_name="Ada", last_name="Beach")
    with serve(app) as base:

        def ask(timeout: float = 5) -> requests.Response:
            url = f"{base}/api/au1/v1/patients"
            return requests.get(url, auth=(store.key("bondi"), ""), headers=MANNERS, timeout=timeout)

        ask.base = base  # type: ignore[attr-defined]
        yield ask


@pytest.fixture
def raw(ask, store):
    """All bytes of the answer, head and body, and whether the connection was reset at its end."""
    signature = b64encode(f"{store.key('bondi')}:".encode()).decode()
    head = "".join(f"{name}: {value}\r\n" for name, value in {**MANNERS, "Authorization": f"Basic {signature}"}.items())

    def raw() -> tuple[bytes, bytes, bool]:
        host, _, port = ask.base.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as line:
            line.sendall(f"GET /api/au1/v1/patients HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
            came, was_reset = b"", False
            try:
                while part := line.recv(65_536):
                    came += part
            except ConnectionResetError:
                was_reset = True
        start, _, body = came.partition(b"\r\n\r\n")
        return start, body, was_reset

    return raw


def promised(head):
    (length,) = (line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return int(length)


def test_an_answer_that_nobody_spoils_is_whole(raw):
    head, body, was_reset = raw()
    assert (promised(head), was_reset) == (len(body), False)


def test_a_reset_comes_in_the_middle_of_the_body(raw, ask, store, capfd):
    store.inject_fault("bondi", Fault.RESET, times=2)
    head, body, was_reset = raw()
    assert was_reset
    assert 0 < len(body) == promised(head) // 2
    with pytest.raises(requests.RequestException):
        ask()
    assert ask().json()["total_entries"] == 1
    assert capfd.readouterr().err == ""


def test_a_cut_answer_is_shorter_than_it_says(raw, ask, store):
    store.inject_fault("bondi", Fault.CUT_SHORT, times=2)
    head, body, was_reset = raw()
    assert (len(body), was_reset) == (promised(head) // 2, False)
    with pytest.raises(requests.RequestException):
        ask()
    assert ask().json()["total_entries"] == 1


def test_a_truncated_answer_is_as_long_as_it_says(raw, ask, store):
    store.inject_fault("bondi", Fault.TRUNCATED, times=2)
    head, body, was_reset = raw()
    assert (promised(head), was_reset) == (len(body), False)
    with pytest.raises(requests.JSONDecodeError):
        ask().json()


def test_a_dripping_answer_keeps_every_single_wait_short(ask, store):
    store.inject_fault("bondi", Fault.DRIP, seconds=0.6)
    began = time.perf_counter()
    assert ask(timeout=0.3).json()["total_entries"] == 1
    assert time.perf_counter() - began >= 0.55


def test_a_clock_that_is_off_is_the_only_one_that_dates_the_answer(ask, store):
    store.inject_fault("bondi", Fault.CLOCK_AHEAD, seconds=3600)
    assert ask().headers["Date"] == "Mon, 02 Mar 2026 10:00:00 GMT"


def test_a_slow_answer_meets_the_callers_patience(ask, store):
    store.inject_fault("bondi", Fault.SLOW, seconds=0.8)
    with pytest.raises(requests.ReadTimeout):
        ask(timeout=0.2)


def test_others_are_served_while_one_waits(ask, store):
    store.inject_fault("bondi", Fault.SLOW, seconds=1.5)
    with pytest.raises(requests.ReadTimeout):
        ask(timeout=0.1)
    began = time.perf_counter()
    assert ask().status_code == 200
    assert time.perf_counter() - began < 1
