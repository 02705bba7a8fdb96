"""Cliniko's API, instant: whoever is measured waits for themselves and not for it. `python -m bench.instant`

HTTP/1.1 with connections kept open, answers of bytes that are held in memory, no compression, no limit of requests, any
key. Cliniko's words where they matter to an importer: filters, order, pages, links, Date.
"""

import argparse
import asyncio
import signal
from base64 import b64decode
from collections import Counter
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from bench import people
from bench.asked import BadQuestion, read_question
from bench.shelf import Page, Shelf

EMPTY = (
    "appointment_types attendees businesses group_appointments individual_appointments medical_alerts practitioners"
).split()
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
NOT_FOUND = 404, people.compact({"message": "The resource you were looking for could not be found."})
Answer = tuple[int, bytes]


class Instant:
    """Answers by address. Answers are kept until something changes."""

    def __init__(self, shelf: Shelf):
        self.shelf = shelf
        self.requests: Counter[str] = Counter()
        self._kept = lru_cache(maxsize=2048)(self._answer)

    def answer(self, target: str, host: str) -> Answer:
        """The status and body for a path with its query; `host` is what links to further pages name."""
        path, _, query = target.partition("?")
        if path.startswith("/bench/"):
            return self._control(path)
        path = path.removeprefix("/v1")
        self.requests[path.split("/")[1]] += 1
        try:
            return self._kept(path, query, host)
        except BadQuestion as refused:
            return 400, people.compact({"message": str(refused)})

    def _answer(self, path: str, query: str, host: str) -> Answer:
        if path == "/user":
            return 200, people.compact(people.user())
        if path == "/settings/public":
            return 200, people.compact(people.settings_page())
        _, resource, *rest = path.split("/")
        if resource == "patients" and not rest:
            return 200, self._list(query, host)
        if resource in EMPTY or path in ("/patients/deleted", "/patients/archived"):
            return 200, _body(resource, Page((), 0, False), {"self": f"http://{host}/v1{path}"})
        return self._single(rest[0]) if resource == "patients" and len(rest) == 1 else NOT_FOUND

    def _list(self, query: str, host: str) -> bytes:
        asked = read_question(query)
        page = self.shelf.page(asked)
        links = {"self": _page_url(query, host, asked.page)}
        if page.has_more:
            links["next"] = _page_url(query, host, asked.page + 1)
        if asked.page > 1:
            links["previous"] = _page_url(query, host, asked.page - 1)
        return _body("patients", page, links)

    def _single(self, id: str) -> Answer:
        found = self.shelf.find(int(id)) if id.isdecimal() else None
        return (200, found.body) if found else NOT_FOUND

    def _control(self, path: str) -> Answer:
        """For the bench itself: how often each list was asked for, and edits."""
        _, _, action, *rest = path.split("/")
        if action == "touch":
            self.shelf.touch(int(rest[0]), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
            self._kept.cache_clear()
        counted = people.compact(self.requests)
        if action == "forget":
            self.requests.clear()
        return 200, counted


def _body(resource: str, page: Page, links: dict[str, str]) -> bytes:
    tail = b'],"total_entries":%d,"links":%b}' % (page.total, people.compact(links))
    return b'{"%b":[' % resource.encode() + b",".join(page.bodies) + tail


def _page_url(query: str, host: str, number: int) -> str:
    others = [(name, value) for name, value in parse_qsl(query) if name != "page"]
    return f"http://{host}/v1/patients?{urlencode([*others, ('page', str(number))])}"


class Connection(asyncio.Protocol):
    """Requests without bodies, one after the other."""

    def __init__(self, instant: Instant):
        self._instant = instant
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._transport.writelines(self._respond(head.decode("latin-1")))

    def _respond(self, head: str) -> tuple[bytes, bytes]:
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        target = first.split(" ")[1]
        if _signed(headers) or target.startswith("/bench/"):
            status, body = self._instant.answer(target, headers.get("host", "127.0.0.1"))
        else:
            status, body = 401, people.compact({"message": "HTTP Basic: Access denied."})
        return _head(status, len(body)), body


def _signed(headers: dict[str, str]) -> bool:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "basic" and len(b64decode(token)) > 1


def _head(status: int, length: int) -> bytes:
    lines = (
        f"HTTP/1.1 {status} {REASONS[status]}",
        f"Date: {formatdate(usegmt=True)}",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {length}",
    )
    return "\r\n".join((*lines, "", "")).encode()


async def serve(instant: Instant, port: int) -> None:
    """Serve until told to end; the address goes to standard output once it answers."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, ended.set)
    server = await loop.create_server(lambda: Connection(instant), "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.instant", description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(serve(Instant(Shelf(people.patients(options.patients, seed=options.seed))), options.port))


if __name__ == "__main__":
    main()
