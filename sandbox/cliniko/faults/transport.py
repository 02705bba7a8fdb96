"""The ways in which a good answer reaches the caller badly."""

import os
import socket
import struct
import time
from collections.abc import Iterator

from flask import Response, request

DROPS = 20
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: closing sends a reset


def slow(response: Response, seconds: float) -> None:
    """The answer stands as of now, and leaves later."""
    time.sleep(seconds)


def drip(response: Response, seconds: float) -> None:
    body = response.get_data()
    _send(response, _drops(body, seconds), len(body))


def reset(response: Response, seconds: float) -> None:
    body = response.get_data()
    _send(response, _broken_off(body[: len(body) // 2], request.environ.get("werkzeug.socket")), len(body))


def truncate(response: Response, seconds: float) -> None:
    body = response.get_data()
    response.set_data(body[: len(body) // 2])


def cut_short(response: Response, seconds: float) -> None:
    """The connection closes after each answer, and so before all that was promised."""
    body = response.get_data()
    _send(response, iter((body[: len(body) // 2],)), len(body))


def _send(response: Response, parts: Iterator[bytes], promised: int) -> None:
    response.response = parts
    response.headers["Content-Length"] = str(promised)


def _drops(body: bytes, seconds: float) -> Iterator[bytes]:
    size = len(body) // DROPS + 1
    for start in range(0, len(body), size):
        yield body[start : start + size]
        time.sleep(seconds / DROPS)


def _broken_off(start: bytes, line: socket.socket | None) -> Iterator[bytes]:
    yield start
    if line is None:
        raise ConnectionResetError("There is no connection to reset: the caller is no server's client.")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    ours, theirs = socket.socketpair()
    with ours, theirs:  # something else takes the connection's number: that closes it, and the server sees but an end
        os.dup2(ours.fileno(), line.fileno())
