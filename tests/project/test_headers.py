"""What every answer tells the browser: keep nothing, load nothing foreign, be in no frame and in no search engine."""

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
from tests.project.production import ROOT, production_settings
from tests.project.url_table import AT_A_CLINIC, ON_THE_BASE_HOST, BaseRow, Row

Browsers = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("alike", "no_cliniko")

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
    """A page's addresses that a browser loads or sends to by itself, its scripts and styles, and its handlers."""

    def __init__(self, text: str):
        super().__init__()
        self.addresses: list[str] = []
        self.nonces: list[str | None] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.addresses += [value or "" for name, value in attrs if name in LOADED or (tag, name) in LOADED_BY]
        self.inline += [f"{tag} {name}" for name in held if name.startswith("on") or name == "style"]
        if tag in ("script", "style"):
            self.nonces.append(held.get("nonce"))


def policy(answer: Any) -> dict[str, list[str]]:
    directives = (part.split() for part in answer["Content-Security-Policy"].split(";") if part.strip())
    return {name: values for name, *values in directives}


def assert_private(answer: Any) -> None:
    assert {name: answer.get(name) for name in ALWAYS} == ALWAYS
    held = policy(answer)
    assert held["default-src"] == held["frame-ancestors"] == held["base-uri"] == ["'none'"]
    assert {source for values in held.values() for source in values if not source.startswith("'nonce-")} <= {
        "'none'",
        "'self'",
        "data:",
        "http://*.localhost:8000",
    }
    assert not {"unsafe-inline", "unsafe-eval"} & set(re.findall(r"[\w-]+", answer["Content-Security-Policy"]))
    page = Page(answer.getvalue().decode(errors="replace"))
    assert not [address for address in page.addresses if not re.match(r"/(?![/\\])|data:|#|$", address)]
    assert page.inline == []
    assert {f"'nonce-{nonce}'" for nonce in page.nonces} <= set(held["script-src"]) & set(held["style-src"])


@pytest.mark.parametrize("row", AT_A_CLINIC, ids=str)
def test_every_answer_of_a_clinic_is_private(clinic_client: Browsers, staff_client: Browsers, row: Row) -> None:
    for browser in (clinic_client("bondi"), staff_client("bondi", "owner"), staff_client("bondi", "readonly")):
        assert_private(browser.generic(row.method, row.path))


@pytest.mark.parametrize("row", ON_THE_BASE_HOST, ids=str)
def test_every_answer_of_the_base_host_is_private(client: Client, operator_client: Browsers, row: BaseRow) -> None:
    answer = client.generic(row.method, row.path, headers={"Host": "localhost"})
    assert_private(answer)
    assert row.path.startswith("/ops/") or not answer.cookies
    assert_private(operator_client("ana").generic(row.method, row.path))


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("for this test")


def unlucky(browser: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, Any]]:
    yield 404, browser.get("/nothing/here")
    yield 404, browser.get("/static/nothing.css")
    yield 404, browser.get("/patients/99999999999999999999999/")
    yield 400, browser.get("/patients?" + "a=1&" * 2000)
    yield 405, browser.post("/patients?patient_id=42")
    yield 403, browser.post("/password/reset/", {"email": "a@b.example"})  # without a token
    with monkeypatch.context() as patched:
        patched.setattr("launch.views.launch.is_page_load", broken)
        yield 500, browser.get("/patients?patient_id=42")


@pytest.mark.parametrize("signed_in", [True, False])
def test_every_error_is_private_too(
    csrf_client: Browsers, staff_client: Browsers, monkeypatch: pytest.MonkeyPatch, signed_in: bool
) -> None:
    browser = csrf_client("bondi")
    browser.raise_request_exception = False
    if signed_in:
        browser.cookies["sessionid"] = staff_client("bondi").cookies["sessionid"].value
    for status, answer in unlucky(browser, monkeypatch):
        assert answer.status_code == status
        assert_private(answer)


def test_being_told_to_wait_is_private_too(clinic_client: Browsers) -> None:
    browser = clinic_client("bondi")
    for _ in range(6):
        answer = browser.post("/password/reset/", {"email": "a@b.example"})
    assert (answer.status_code, answer["Retry-After"]) == (429, "300")
    assert_private(answer)


def test_an_open_invitation_and_a_search_are_private_too(clinic_client: Browsers, staff_client: Browsers) -> None:
    with clinic_context("bondi"):
        _, url = invitations.invite("new@clinic.example", "reception")
    assert_private(clinic_client("bondi").get(url.removeprefix("http://bondi.localhost:8000")))
    found = staff_client("bondi").post("/search", {"text": "ada"}, headers={"HX-Request": "true"})
    assert "Ada" in found.content.decode()
    assert_private(found)


def test_the_second_step_and_the_recovery_codes_are_private_too(
    clinic_client: Browsers, staff_client: Browsers
) -> None:
    with clinic_context("bondi"):
        person = User.objects.get(email="reception@clinic.example")
    add_app("bondi", person)
    add_passkey("bondi", person)
    browser = clinic_client("bondi")
    step = browser.post("/login", {"login": person.email, "password": PASSWORD})["Location"]
    page = browser.get(step)
    assert "Two-step verification" in page.content.decode()
    assert_private(page)
    signed_in = staff_client("bondi")
    codes = signed_in.post("/account/recovery-codes/new", follow=True)
    assert "You won't see them again" in codes.content.decode()
    assert_private(codes)


def test_a_failure_at_the_door_itself_is_kept_by_nobody(
    clinic_client: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = clinic_client("bondi")
    browser.raise_request_exception = False
    monkeypatch.setattr("tenants.middleware._match_label", broken)
    answer = browser.get("/patients?patient_id=42")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.content.decode()
    for name in ("Cache-Control", "X-Robots-Tag", "Cross-Origin-Opener-Policy"):
        assert answer[name] == ALWAYS[name]
    assert policy(answer)["frame-ancestors"] == ["'none'"]


@pytest.mark.parametrize("host", ["nobody.localhost", "www.bondi.localhost", "evil.example"])
def test_a_host_of_nobody_is_private_and_sets_no_cookie(client: Client, host: str) -> None:
    answer = client.get("/patients?patient_id=42", headers={"Host": host})
    assert answer.status_code == 404
    of_the_door = ALWAYS.keys() - {"X-Frame-Options"}
    assert {name: answer.get(name) for name in of_the_door} == {name: ALWAYS[name] for name in of_the_door}
    assert policy(answer)["default-src"] == policy(answer)["frame-ancestors"] == ["'none'"]
    assert Page(answer.content.decode()).addresses == []
    assert not answer.cookies


def test_every_page_has_scripts_of_its_own_nonce_and_each_request_a_new_one(staff_client: Browsers) -> None:
    browser = staff_client("bondi")
    nonces = []
    for path in ("/", "/patients/42/", "/patients/42/"):
        found = Page(browser.get(path).content.decode()).nonces
        assert found
        assert None not in found
        assert len(set(found)) == 1
        nonces.append(found[0])
    assert len(set(nonces)) == 3


def test_no_style_and_no_script_of_ours_loads_from_elsewhere() -> None:
    files = [path for kind in ("css", "js", "svg") for path in (ROOT / "static").rglob(f"*.{kind}")]
    assert files
    for path in files:
        text = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://|@import|url\(\s*['\"]?//", text), path.name


def test_signing_out_clears_what_the_browser_kept_of_this_clinic_alone(staff_client: Browsers) -> None:
    answer = staff_client("bondi").post("/logout")
    assert answer["Clear-Site-Data"] == '"cache", "storage"'  # "cookies" would reach the other clinics' too


# --- Cookies ---------------------------------------------------------------------------------------------------------

OF_THE_BROWSER = re.compile(r"(SESSION|CSRF|SECURE|MESSAGE|LANGUAGE_COOKIE)_|ALLOWED_HOSTS|BASE_DOMAIN|PUBLIC_|HTTPS")


@pytest.fixture
def in_production(settings: Settings) -> Browsers:
    """`in_production("bondi")`: a browser at a server with production's settings of hosts, cookies and https."""
    for name, value in production_settings().items():
        if OF_THE_BROWSER.match(name):
            setattr(settings, name, value)
    return lambda label: Client(HTTP_HOST=f"{label}.sidechart.example", HTTP_X_FORWARDED_PROTO="https")


def cookies_of(answers: list[Any]) -> dict[str, Any]:
    return {name: morsel for answer in answers for name, morsel in answer.cookies.items()}


def every_way_in(browser: Client, email: str) -> list[Any]:
    browser.get("/patients?patient_id=42")
    sign_in = {"login": email, "password": PASSWORD}
    answers = [browser.get("/login"), browser.post("/login", {**sign_in, "password": "wrong"})]
    answers += [browser.post("/password/reset/", {"email": email}), browser.post("/login", sign_in)]
    return [*answers, browser.get("/"), browser.get("/patients/42/"), browser.get("/nothing")]


def test_in_production_every_cookie_is_bound_to_its_host_by_the_browser(
    in_production: Browsers, alike: dict[str, str]
) -> None:
    browser = in_production("bondi")
    answers = every_way_in(browser, alike["reception"])
    assert answers[3]["Location"] == "/"
    found = cookies_of(answers)
    assert set(found) == {"__Host-sessionid"}
    for morsel in found.values():
        assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Lax")
        assert (morsel["path"], morsel["domain"]) == ("/", "")
        assert not morsel["max-age"]  # gone with the browser


def test_in_production_the_cookie_of_ops_is_bound_to_the_base_host(
    in_production: Browsers, operator: Callable[..., User]
) -> None:
    email = operator("ana").email
    browser = in_production("bondi")
    browser.defaults["HTTP_HOST"] = "sidechart.example"
    step = browser.post("/ops/login", {"login": email, "password": PASSWORD})
    answers = [step, browser.post(step["Location"], {"code": totp_code()}), browser.get("/ops/")]
    assert answers[-1].status_code == 200
    for morsel in cookies_of(answers).values():
        assert (morsel.key, morsel["path"], morsel["domain"]) == ("__Host-sessionid", "/", "")
        assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Lax")
        assert not morsel["max-age"]


def test_the_cookie_that_ends_a_session_is_bound_to_its_host_too(
    in_production: Browsers, alike: dict[str, str]
) -> None:
    browser = in_production("bondi")
    browser.post("/login", {"login": alike["reception"], "password": PASSWORD})
    browser.cookies["__Host-sessionid"] = "nobodys"
    (morsel,) = browser.get("/login").cookies.values()
    assert (morsel.key, morsel["path"], morsel["domain"]) == ("__Host-sessionid", "/", "")
    assert morsel["secure"]  # a browser takes no other cookie of this name


def test_in_production_http_is_turned_to_https_and_remembered(in_production: Browsers) -> None:
    browser = in_production("bondi")
    plain = browser.get("/patients?patient_id=42", headers={"X-Forwarded-Proto": "http"})
    assert (plain.status_code, plain["Location"]) == (301, "https://bondi.sidechart.example/patients?patient_id=42")
    assert not plain.cookies
    assert browser.get("/login")["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert browser.get("/healthz", headers={"X-Forwarded-Proto": "http"}).status_code == 200


def test_on_this_machine_cookies_are_as_strict_as_http_allows(clinic_client: Browsers, alike: dict[str, str]) -> None:
    found = cookies_of(every_way_in(clinic_client("bondi"), alike["reception"]))
    assert set(found) == {"sessionid"} == {django_settings.SESSION_COOKIE_NAME}
    for morsel in found.values():
        assert (morsel["httponly"], morsel["samesite"], morsel["domain"], morsel["path"]) == (True, "Lax", "", "/")
