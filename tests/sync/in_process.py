"""The sandbox Cliniko without a socket: the client's requests are answered in this process."""

from collections.abc import Callable
from concurrent.futures import Future
from io import BytesIO
from typing import Any

import requests
from flask import Flask
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from werkzeug.test import Client

from sync.cliniko.client import Cliniko, Page, Parsed
from sync.cliniko.errors import BudgetSpent, ClinikoError

URL = "http://cliniko.test"
API_URL = f"{URL}/api/{{shard}}/v1"


class InProcess(HTTPAdapter):
    """A transport for requests that calls the app. A connection reset by the app raises ConnectionError."""

    def __init__(self, app: Flask):
        super().__init__()
        self.app, self._client = app, Client(app)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = self._client.get(request.path_url, base_url=URL, headers=dict(request.headers))
        try:
            body = b"".join(answer.iter_encoded())
        except ConnectionResetError:
            raise requests.ConnectionError("reset") from None
        raw = HTTPResponse(BytesIO(body), dict(answer.headers), answer.status_code, preload_content=False)
        return self.build_response(request, raw)


def prefetch_inline(self: Cliniko, resource: str, parse: Callable[[Page], Parsed], **query: Any) -> Future[Parsed]:
    """Replace Cliniko.prefetch: fetch immediately instead of in a thread, so that the order of events is fixed."""
    future: Future[Parsed] = Future()
    try:
        future.set_result(parse(self.list(resource, **query)))
    except BudgetSpent:
        raise
    except ClinikoError as failure:
        future.set_exception(failure)
    return future
