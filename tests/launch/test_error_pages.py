"""The base host and the error pages."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import pytest
from django.template.loader import render_to_string
from django.test import Client

from tenants.models import Clinic


@pytest.fixture
def base_host(db: None) -> Client:
    return Client(HTTP_HOST="localhost")


def test_the_base_host_has_a_landing_page(base_host: Client) -> None:
    response = base_host.get("/")
    assert response.status_code == 200
    assert "Go to your clinic" in response.content.decode()
    assert not response.cookies


@pytest.mark.parametrize(
    "typed", ["bondi", " Bondi ", "bondi.localhost", "http://bondi.localhost:8000/login", "BONDI.localhost."]
)
def test_a_typed_clinic_name_leads_to_the_clinic(base_host: Client, bondi: Clinic, typed: str) -> None:
    response = base_host.get("/find-clinic", {"clinic": typed})
    assert (response.status_code, response["Location"]) == (302, "http://bondi.localhost:8000/")


def test_it_redirects_the_same_way_to_an_unknown_clinic(base_host: Client, bondi: Clinic) -> None:
    response = base_host.get("/find-clinic", {"clinic": "nowhere"})
    assert (response.status_code, response["Location"]) == (302, "http://nowhere.localhost:8000/")


@pytest.mark.parametrize(
    "typed", ["", "a", "x_y", "xn--bcher-kva", "admin", "//evil.example", "évil", "a.b.c", "a@b", "\x00"]
)
def test_an_invalid_clinic_name_is_refused(base_host: Client, typed: str) -> None:
    response = base_host.get("/find-clinic", {"clinic": typed})
    assert response.status_code == 400
    assert "Go to your clinic" in response.content.decode()


def test_its_form_can_only_lead_to_clinics(base_host: Client) -> None:
    policy = base_host.get("/")["Content-Security-Policy"]
    assert re.search(r"form-action 'self' http://\*\.localhost:8000(;|$)", policy)


@pytest.mark.parametrize("host", ["bondi.localhost", "localhost"])
def test_an_unknown_url_returns_404(bondi: Clinic, host: str) -> None:
    response = Client(HTTP_HOST=host).get("/nowhere")
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()
    assert not response.cookies


@pytest.mark.parametrize("host", ["nope.localhost", "www.bondi.localhost", "localhost.evil.example"])
def test_an_unknown_host_returns_404_with_its_own_style(bondi: Clinic, host: str) -> None:
    response = Client(HTTP_HOST=host).get("/")
    page = response.content.decode()
    assert response.status_code == 404
    assert not response.cookies
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in response["Content-Security-Policy"]
    assert not re.search(r"src=|href=|bondi", page)


def test_the_500_page_needs_no_database(
    reception: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Callable[[int], object]
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("Ada Lindqvist")

    monkeypatch.setattr("sync.read.patients.get", fail)
    reception.raise_request_exception = False
    response = reception.get("/patients/42/")
    assert response.status_code == 500
    assert "Something went wrong" in response.content.decode()
    assert "Lindqvist" not in response.content.decode()
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert "Something went wrong" in render_to_string("500.html")
