"""Every response forbids caching, foreign content, framing and indexing; cookies are bound to their host."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings

from accounts import invitations
from accounts.models import User
from tenants.context import clinic_context
from tests.accounts.second_factors import add_app, add_passkey, totp_code
from tests.conftest import PASSWORD
from tests.project.production import production_settings
from tests.project.url_table import BASE_ROWS, CLINIC_ROWS
from tests.services import ROOT

Browsers = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("same_staff", "cliniko_network")

ALWAYS = {
    "Cache-Control": "no-store, private",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LOADED_BY = {("link", "href"), ("form", "action"), ("button", "formaction"), ("a", "ping"), ("use", "href")}
LOADED = {"src", "srcset", "data", "poster", "background", "hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete"}


class Page(HTMLParser):
    """The URLs that a page loads or submits to, its nonces, and its inline handlers and styles."""

    def __init__(self, text: str):
        super().__init__()
        self.urls: list[str] = []
        self.nonces: list[str | None] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.urls += [value or "" for name, value in attrs if name in LOADED or (tag, name) in LOADED_BY]
        self.inline += [f"{tag} {name}" for name in attributes if name.startswith("on") or name == "style"]
        if tag in ("script", "style"):
            self.nonces.append(attributes.get("nonce"))


def policy(response: Any) -> dict[str, list[str]]:
    directives = (part.split() for part in response["Content-Security-Policy"].split(";") if part.strip())
    return {name: values for name, *values in directives}


def assert_private(response: Any, row: object = None) -> None:
    assert {name: response.get(name) for name in ALWAYS} == ALWAYS, row
    directives = policy(response)
    assert directives["default-src"] == directives["frame-ancestors"] == directives["base-uri"] == ["'none'"], row
    sources = {source for values in directives.values() for source in values if not source.startswith("'nonce-")}
    assert sources <= {"'none'", "'self'", "data:", "http://*.localhost:8000"}, row
    assert not {"unsafe-inline", "unsafe-eval"} & set(re.findall(r"[\w-]+", response["Content-Security-Policy"])), row
    page = Page(response.getvalue().decode(errors="replace"))
    assert not [url for url in page.urls if not re.match(r"/(?![/\\])|data:|#|$", url)], row
    assert page.inline == [], row
    nonces = {f"'nonce-{nonce}'" for nonce in page.nonces}
    assert nonces <= set(directives["script-src"]) & set(directives["style-src"]), row


def test_every_response_of_a_clinic_is_private(clinic_client: Browsers, staff_client: Browsers) -> None:
    for row in CLINIC_ROWS:
        for browser in (clinic_client("bondi"), staff_client("bondi", "owner"), staff_client("bondi", "readonly")):
            assert_private(browser.generic(row.method, row.path), row)


def test_every_response_of_the_base_host_is_private(operator_client: Browsers) -> None:
    for row in BASE_ROWS:
        response = Client(HTTP_HOST="localhost").generic(row.method, row.path)
        assert_private(response, row)
        assert row.path.startswith("/ops/") or not response.cookies, row
        assert_private(operator_client("ana").generic(row.method, row.path), row)


def fail(*_: object, **__: object) -> None:
    raise RuntimeError("for this test")


def provoke_errors(browser: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, Any]]:
    yield 404, browser.get("/nothing/here")
    yield 404, browser.get("/static/nothing.css")
    yield 404, browser.get("/patients/99999999999999999999999/")
    yield 400, browser.get("/patients?" + "a=1&" * 2000)
    yield 405, browser.post("/patients?patient_id=42")
    yield 403, browser.post("/password/reset/", {"email": "a@b.example"})  # without a CSRF token
    with monkeypatch.context() as patched:
        patched.setattr("launch.views.launch.is_page_load", fail)
        yield 500, browser.get("/patients?patient_id=42")


@pytest.mark.parametrize("signed_in", [True, False])
def test_error_responses_are_private(
    csrf_client: Browsers, staff_client: Browsers, monkeypatch: pytest.MonkeyPatch, signed_in: bool
) -> None:
    browser = csrf_client("bondi")
    browser.raise_request_exception = False
    if signed_in:
        browser.cookies["sessionid"] = staff_client("bondi").cookies["sessionid"].value
    for status, response in provoke_errors(browser, monkeypatch):
        assert response.status_code == status
        assert_private(response)


def test_rate_limit_responses_are_private(clinic_client: Browsers) -> None:
    browser = clinic_client("bondi")
    for _ in range(6):
        response = browser.post("/password/reset/", {"email": "a@b.example"})
    assert (response.status_code, response["Retry-After"]) == (429, "300")
    assert_private(response)


def test_invitation_and_search_responses_are_private(clinic_client: Browsers, staff_client: Browsers) -> None:
    with clinic_context("bondi"):
        _, url = invitations.invite("new@clinic.example", "reception")
    assert_private(clinic_client("bondi").get(url.removeprefix("http://bondi.localhost:8000")))
    found = staff_client("bondi").post("/search", {"text": "ada"}, headers={"HX-Request": "true"})
    assert "Ada" in found.content.decode()
    assert_private(found)


def test_two_step_verification_and_recovery_codes_are_private(clinic_client: Browsers, staff_client: Browsers) -> None:
    with clinic_context("bondi"):
        user = User.objects.get(email="reception@clinic.example")
    add_app("bondi", user)
    add_passkey("bondi", user)
    browser = clinic_client("bondi")
    step = browser.post("/login", {"login": user.email, "password": PASSWORD})["Location"]
    page = browser.get(step)
    assert "Two-step verification" in page.content.decode()
    assert_private(page)
    signed_in = staff_client("bondi")
    codes = signed_in.post("/account/recovery-codes/new", follow=True)
    assert "You won't see them again" in codes.content.decode()
    assert_private(codes)


def test_an_error_in_the_clinic_middleware_is_private(clinic_client: Browsers, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = clinic_client("bondi")
    browser.raise_request_exception = False
    monkeypatch.setattr("tenants.middleware._match_label", fail)
    response = browser.get("/patients?patient_id=42")
    assert response.status_code == 500
    assert "Something went wrong" in response.content.decode()
    for name in ("Cache-Control", "X-Robots-Tag", "Cross-Origin-Opener-Policy"):
        assert response[name] == ALWAYS[name]
    assert policy(response)["frame-ancestors"] == ["'none'"]


@pytest.mark.parametrize("host", ["nobody.localhost", "www.bondi.localhost", "evil.example"])
def test_an_unknown_host_is_private_and_sets_no_cookie(client: Client, host: str) -> None:
    response = client.get("/patients?patient_id=42", headers={"Host": host})
    assert response.status_code == 404
    expected = ALWAYS.keys() - {"X-Frame-Options"}
    assert {name: response.get(name) for name in expected} == {name: ALWAYS[name] for name in expected}
    assert policy(response)["default-src"] == policy(response)["frame-ancestors"] == ["'none'"]
    assert Page(response.content.decode()).urls == []
    assert not response.cookies


def test_each_response_has_its_own_script_nonce(staff_client: Browsers) -> None:
    browser = staff_client("bondi")
    nonces = []
    for path in ("/", "/patients/42/", "/patients/42/"):
        found = Page(browser.get(path).content.decode()).nonces
        assert found
        assert None not in found
        assert len(set(found)) == 1
        nonces.append(found[0])
    assert len(set(nonces)) == 3


def test_our_styles_and_scripts_load_nothing_from_other_hosts() -> None:
    files = [path for kind in ("css", "js", "svg") for path in (ROOT / "static").rglob(f"*.{kind}")]
    assert files
    for path in files:
        text = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://|@import|url\(\s*['\"]?//", text), path.name


def test_sign_out_clears_only_this_clinics_browser_data(staff_client: Browsers) -> None:
    response = staff_client("bondi").post("/logout")
    assert response["Clear-Site-Data"] == '"cache", "storage"'  # "cookies" would clear other clinics' too


# --- Cookies ---------------------------------------------------------------------------------------------------------

BROWSER_SETTINGS = re.compile(r"(SESSION|CSRF|SECURE|MESSAGE|LANGUAGE_COOKIE)_|ALLOWED_HOSTS|BASE_DOMAIN|PUBLIC_|HTTPS")


@pytest.fixture
def in_production(settings: Settings) -> Browsers:
    """`in_production("bondi")`: return a client with production's settings for hosts, cookies and HTTPS."""
    for name, value in production_settings().items():
        if BROWSER_SETTINGS.match(name):
            setattr(settings, name, value)
    return lambda label: Client(HTTP_HOST=f"{label}.sidechart.example", HTTP_X_FORWARDED_PROTO="https")


def cookies_of(all_responses: list[Any]) -> dict[str, Any]:
    return {name: morsel for response in all_responses for name, morsel in response.cookies.items()}


def visit_and_sign_in(browser: Client, email: str) -> list[Any]:
    browser.get("/patients?patient_id=42")
    sign_in = {"login": email, "password": PASSWORD}
    all_responses = [browser.get("/login"), browser.post("/login", {**sign_in, "password": "wrong"})]
    all_responses += [browser.post("/password/reset/", {"email": email}), browser.post("/login", sign_in)]
    return [*all_responses, browser.get("/"), browser.get("/patients/42/"), browser.get("/nothing")]


def test_production_cookies_of_a_clinic_have_the_host_prefix(
    in_production: Browsers, same_staff: dict[str, str]
) -> None:
    browser = in_production("bondi")
    all_responses = visit_and_sign_in(browser, same_staff["reception"])
    assert all_responses[3]["Location"] == "/"
    found = cookies_of(all_responses)
    assert set(found) == {"__Host-sessionid"}
    for morsel in found.values():
        assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Lax")
        assert (morsel["path"], morsel["domain"]) == ("/", "")
        assert not morsel["max-age"]  # a session cookie


def test_production_cookies_of_operators_have_the_host_prefix(
    in_production: Browsers, operator: Callable[..., User]
) -> None:
    email = operator("ana").email
    browser = in_production("bondi")
    browser.defaults["HTTP_HOST"] = "sidechart.example"
    step = browser.post("/ops/login", {"login": email, "password": PASSWORD})
    all_responses = [step, browser.post(step["Location"], {"code": totp_code()}), browser.get("/ops/")]
    assert all_responses[-1].status_code == 200
    for morsel in cookies_of(all_responses).values():
        assert (morsel.key, morsel["path"], morsel["domain"]) == ("__Host-sessionid", "/", "")
        assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Lax")
        assert not morsel["max-age"]


def test_the_cookie_that_ends_a_session_has_the_host_prefix(
    in_production: Browsers, same_staff: dict[str, str]
) -> None:
    browser = in_production("bondi")
    browser.post("/login", {"login": same_staff["reception"], "password": PASSWORD})
    browser.cookies["__Host-sessionid"] = "unknown"
    (morsel,) = browser.get("/login").cookies.values()
    assert (morsel.key, morsel["path"], morsel["domain"]) == ("__Host-sessionid", "/", "")
    assert morsel["secure"]  # browsers require it for this name


def test_production_redirects_http_to_https_and_sends_hsts(in_production: Browsers) -> None:
    browser = in_production("bondi")
    redirect = browser.get("/patients?patient_id=42", headers={"X-Forwarded-Proto": "http"})
    assert (redirect.status_code, redirect["Location"]) == (
        301,
        "https://bondi.sidechart.example/patients?patient_id=42",
    )
    assert not redirect.cookies
    assert browser.get("/login")["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert browser.get("/healthz", headers={"X-Forwarded-Proto": "http"}).status_code == 200


def test_development_cookies_are_as_strict_as_http_allows(clinic_client: Browsers, same_staff: dict[str, str]) -> None:
    found = cookies_of(visit_and_sign_in(clinic_client("bondi"), same_staff["reception"]))
    assert set(found) == {"sessionid"} == {django_settings.SESSION_COOKIE_NAME}
    for morsel in found.values():
        assert (morsel["httponly"], morsel["samesite"], morsel["domain"], morsel["path"]) == (True, "Lax", "", "/")
