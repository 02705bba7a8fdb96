"""Fill in forms over HTTP, as a browser does."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import requests


class FormFields(HTMLParser):
    """The (name, value) pairs that a browser would submit for a page's forms, in order."""

    def __init__(self, page: str):
        super().__init__()
        self.values: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        name = attributes.get("name")
        if tag == "input" and name and attributes.get("type") not in ("submit", "button", "checkbox", "radio"):
            self.values.append((name, attributes.get("value") or ""))


class Browser:
    """An HTTP client that sends every host name to this machine, because Python may not resolve *.localhost."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # ignore proxies

    def get(self, url: str) -> requests.Response:
        return self._send("GET", url)

    def post(self, url: str, fields: list[tuple[str, str]]) -> requests.Response:
        return self._send("POST", url, fields)

    def _send(self, method: str, url: str, fields: list[tuple[str, str]] | None = None) -> requests.Response:
        parts = urlsplit(url)
        local = f"http://127.0.0.1:{parts.port or 80}{parts.path}{'?' * bool(parts.query)}{parts.query}"
        return self._session.request(
            method, local, data=fields, headers={"Host": parts.netloc}, allow_redirects=False, timeout=60
        )
