"""Serve the sandbox over HTTP: from the command line, or in a thread for a test."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

MAX_PORT = 65_535


class Handler(WSGIRequestHandler):
    """Keep connections open, and don't log: the sandbox has its own request log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes; Nagle would add 40 ms

    def send_response(self, code: int, message: str | None = None) -> None:
        """Send the status only: werkzeug would add a second Date header, by the real clock, before the app's."""
        self.send_response_only(code, message)

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


def build_server(app: Flask, *, host: str = "127.0.0.1", port: int = 0) -> BaseWSGIServer:
    """Bind the port. Raises OSError if it is in use or out of range."""
    if not 0 <= port <= MAX_PORT:  # socket.create_server raises OverflowError and leaks the socket
        raise OSError(f"port {port} is not between 0 and {MAX_PORT}")
    with socket.create_server((host, port)) as listening:  # bind here: werkzeug would print and exit
        return make_server(host, port, app, threaded=True, request_handler=Handler, fd=listening.fileno())


@contextmanager
def serve(app: Flask, port: int = 0) -> Iterator[str]:
    """Serve in a thread while the block runs, and yield the base URL, http://127.0.0.1:<port>."""
    server = build_server(app, port=port)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="sandbox-cliniko", daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
