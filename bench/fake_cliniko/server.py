"""A fake Cliniko API that responds at once, so that only the importer is measured.

Run it with `python -m bench.fake_cliniko.server`. HTTP/1.1 keep-alive, responses from memory, no compression, no rate
limit, any key. It imitates what matters to importers: filters, order, pages, links, Date.
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

from bench.fake_cliniko import patients
from bench.fake_cliniko.query import BadQuery, parse_query
from bench.fake_cliniko.records import Page, PatientList

EMPTY_LISTS = (
    "appointment_types attendees businesses group_appointments individual_appointments medical_alerts practitioners"
).split()
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
NOT_FOUND = 404, patients.compact({"message": "The resource you were looking for could not be found."})
Response = tuple[int, bytes]


class FakeCliniko:
    """Responses by path, cached until a patient changes."""

    def __init__(self, patients: PatientList):
        self.patients = patients
        self.requests: Counter[str] = Counter()
        self._cached = lru_cache(maxsize=2048)(self._response)

    def respond(self, target: str, host: str) -> Response:
        """Return the status and body for a path with its query; `host` goes into links to other pages."""
        path, _, query = target.partition("?")
        if path.startswith("/bench/"):
            return self._control(path)
        path = path.removeprefix("/v1")
        self.requests[path.split("/")[1]] += 1
        try:
            return self._cached(path, query, host)
        except BadQuery as error:
            return 400, patients.compact({"message": str(error)})

    def _response(self, path: str, query: str, host: str) -> Response:
        if path == "/user":
            return 200, patients.compact(patients.user())
        if path == "/settings/public":
            return 200, patients.compact(patients.public_settings())
        _, resource, *rest = path.split("/")
        if resource == "patients" and not rest:
            return 200, self._list(query, host)
        if resource in EMPTY_LISTS or path in ("/patients/deleted", "/patients/archived"):
            return 200, _body(resource, Page((), 0, False), {"self": f"http://{host}/v1{path}"})
        return self._single(rest[0]) if resource == "patients" and len(rest) == 1 else NOT_FOUND

    def _list(self, query: str, host: str) -> bytes:
        query_ = parse_query(query)
        page = self.patients.page(query_)
        links = {"self": _page_url(query, host, query_.page)}
        if page.has_more:
            links["next"] = _page_url(query, host, query_.page + 1)
        if query_.page > 1:
            links["previous"] = _page_url(query, host, query_.page - 1)
        return _body("patients", page, links)

    def _single(self, id: str) -> Response:
        patient = self.patients.find(int(id)) if id.isdecimal() else None
        return (200, patient.body) if patient else NOT_FOUND

    def _control(self, path: str) -> Response:
        """For the bench itself: how often each list was query_ for, and edits."""
        _, _, action, *rest = path.split("/")
        if action == "touch":
            self.patients.touch(int(rest[0]), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
            self._cached.cache_clear()
        counts = patients.compact(self.requests)
        if action == "forget":
            self.requests.clear()
        return 200, counts


def _body(resource: str, page: Page, links: dict[str, str]) -> bytes:
    tail = b'],"total_entries":%d,"links":%b}' % (page.total, patients.compact(links))
    return b'{"%b":[' % resource.encode() + b",".join(page.bodies) + tail


def _page_url(query: str, host: str, number: int) -> str:
    others = [(name, value) for name, value in parse_qsl(query) if name != "page"]
    return f"http://{host}/v1/patients?{urlencode([*others, ('page', str(number))])}"


class Connection(asyncio.Protocol):
    """A connection with requests without bodies, one after the other."""

    def __init__(self, api: FakeCliniko):
        self._api = api
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
        if _has_key(headers) or target.startswith("/bench/"):
            status, body = self._api.respond(target, headers.get("host", "127.0.0.1"))
        else:
            status, body = 401, patients.compact({"message": "HTTP Basic: Access denied."})
        return _head(status, len(body)), body


def _has_key(headers: dict[str, str]) -> bool:
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


async def serve(api: FakeCliniko, port: int) -> None:
    """Serve until SIGTERM or SIGINT, and print the URL once the server listens."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopped.set)
    server = await loop.create_server(lambda: Connection(api), "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fake_cliniko.server", description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    api = FakeCliniko(PatientList(patients.invent_patients(options.patients, seed=options.seed)))
    asyncio.run(serve(api, options.port))


if __name__ == "__main__":
    main()
