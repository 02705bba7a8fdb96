"""Forms filled in over HTTP, the way a person does it in a browser."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import requests


class Fields(HTMLParser):
    """The inputs of a page's forms that a browser would send back, as (name, value) in their order."""

    def __init__(self, page: str):
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name")
        if tag == "input" and name and given.get("type") not in ("submit", "button", "checkbox", "radio"):
            self.sent.append((name, given.get("value") or ""))


class Browser:
    """Visits pages of any host name, all of them served on this machine: Python may not resolve *.localhost."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy lies between us and ourselves

    def get(self, url: str) -> requests.Response:
        return self._send("GET", url)

    def post(self, url: str, fields: list[tuple[str, str]]) -> requests.Response:
        return self._send("POST", url, fields)

    def _send(self, method: str, url: str, fields: list[tuple[str, str]] | None = None) -> requests.Response:
        asked = urlsplit(url)
        here = f"http://127.0.0.1:{asked.port or 80}{asked.path}{'?' * bool(asked.query)}{asked.query}"
        return self._session.request(
            method, here, data=fields, headers={"Host": asked.netloc}, allow_redirects=False, timeout=60
        )
