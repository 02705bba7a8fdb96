"""Faults in the delivery of a correct response."""

import os
import socket
import struct
import time
from collections.abc import Iterator

from flask import Response, request

PIECES = 20
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: closing sends a reset


def slow(response: Response, seconds: float) -> None:
    """Send the response, computed now, after `seconds`."""
    time.sleep(seconds)


def drip(response: Response, seconds: float) -> None:
    body = response.get_data()
    _send(response, _pieces(body, seconds), len(body))


def reset(response: Response, seconds: float) -> None:
    body = response.get_data()
    _send(response, _half_then_reset(body[: len(body) // 2], request.environ.get("werkzeug.socket")), len(body))


def truncate(response: Response, seconds: float) -> None:
    body = response.get_data()
    response.set_data(body[: len(body) // 2])


def cut_short(response: Response, seconds: float) -> None:
    """Close the connection before Content-Length is reached."""
    body = response.get_data()
    _send(response, iter((body[: len(body) // 2],)), len(body))


def _send(response: Response, parts: Iterator[bytes], length: int) -> None:
    response.response = parts
    response.headers["Content-Length"] = str(length)


def _pieces(body: bytes, seconds: float) -> Iterator[bytes]:
    size = len(body) // PIECES + 1
    for start in range(0, len(body), size):
        yield body[start : start + size]
        time.sleep(seconds / PIECES)


def _half_then_reset(start: bytes, connection: socket.socket | None) -> Iterator[bytes]:
    yield start
    if connection is None:
        raise ConnectionResetError("There is no socket to reset: the app is called without a server.")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    ours, theirs = socket.socketpair()
    with ours, theirs:  # dup2 closes the connection, which sends the reset; the server only sees the end of a stream
        os.dup2(ours.fileno(), connection.fileno())
