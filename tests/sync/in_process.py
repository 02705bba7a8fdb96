"""The sandbox Cliniko without a socket: what the client sends is answered within this process."""

from collections.abc import Callable
from concurrent.futures import Future
from io import BytesIO
from typing import Any

import requests
from flask import Flask
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from werkzeug.test import Client

from sync.cliniko.client import Answer, Cliniko, Page
from sync.cliniko.errors import BudgetSpent, ClinikoError

API_URL = "http://cliniko.test/api/{shard}/v1"


class InProcess(HTTPAdapter):
    """A transport of requests that calls the application. A connection that it resets is an error here, too."""

    def __init__(self, app: Flask):
        super().__init__()
        self.app, self._client = app, Client(app)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = self._client.get(request.path_url, base_url="http://cliniko.test/", headers=dict(request.headers))
        try:
            body = b"".join(answer.iter_encoded())
        except ConnectionResetError:
            raise requests.ConnectionError("reset") from None
        raw = HTTPResponse(BytesIO(body), dict(answer.headers), answer.status_code, preload_content=False)
        return self.build_response(request, raw)


def list_at_once(self: Cliniko, resource: str, then: Callable[[Page], Answer], **words: Any) -> Future[Answer]:
    """In place of Cliniko.list_ahead: asked here and now, so that what happens when is the test's to say."""
    asked: Future[Answer] = Future()
    try:
        asked.set_result(then(self.list(resource, **words)))
    except BudgetSpent:
        raise
    except ClinikoError as failure:
        asked.set_exception(failure)
    return asked
