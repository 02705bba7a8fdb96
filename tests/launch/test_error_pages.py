"""The base host, and the pages that say what went wrong."""

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


def test_the_base_host_says_what_this_is(base_host: Client) -> None:
    answer = base_host.get("/")
    assert answer.status_code == 200
    assert "Go to your clinic" in answer.content.decode()
    assert not answer.cookies


@pytest.mark.parametrize(
    "typed", ["bondi", " Bondi ", "bondi.localhost", "http://bondi.localhost:8000/login", "BONDI.localhost."]
)
def test_what_people_type_leads_to_their_clinic(base_host: Client, bondi: Clinic, typed: str) -> None:
    answer = base_host.get("/find-clinic", {"clinic": typed})
    assert (answer.status_code, answer["Location"]) == (302, "http://bondi.localhost:8000/")


def test_it_answers_the_same_for_a_clinic_that_is_not_there(base_host: Client, bondi: Clinic) -> None:
    answer = base_host.get("/find-clinic", {"clinic": "nowhere"})
    assert (answer.status_code, answer["Location"]) == (302, "http://nowhere.localhost:8000/")


@pytest.mark.parametrize(
    "typed", ["", "a", "x_y", "xn--bcher-kva", "admin", "//evil.example", "évil", "a.b.c", "a@b", "\x00"]
)
def test_what_cannot_be_a_clinic_is_said(base_host: Client, typed: str) -> None:
    answer = base_host.get("/find-clinic", {"clinic": typed})
    assert answer.status_code == 400
    assert "Go to your clinic" in answer.content.decode()


def test_its_form_may_lead_to_clinics_and_nowhere_else(base_host: Client) -> None:
    policy = base_host.get("/")["Content-Security-Policy"]
    assert re.search(r"form-action 'self' http://\*\.localhost:8000(;|$)", policy)


@pytest.mark.parametrize("host", ["bondi.localhost", "localhost"])
def test_an_address_without_a_page_says_so(bondi: Clinic, host: str) -> None:
    answer = Client(HTTP_HOST=host).get("/nowhere")
    assert answer.status_code == 404
    assert "There is no page at this address" in answer.content.decode()
    assert not answer.cookies


@pytest.mark.parametrize("host", ["nope.localhost", "www.bondi.localhost", "localhost.evil.example"])
def test_a_host_without_a_clinic_says_so_in_its_own_style(bondi: Clinic, host: str) -> None:
    answer = Client(HTTP_HOST=host).get("/")
    page = answer.content.decode()
    assert answer.status_code == 404
    assert not answer.cookies
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer["Content-Security-Policy"]
    assert not re.search(r"src=|href=|bondi", page)


def test_a_failure_of_ours_says_so_without_a_database(
    reception: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Callable[[int], object]
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("Ada Lindqvist")

    monkeypatch.setattr("sync.read.patients.get", fail)
    reception.raise_request_exception = False
    answer = reception.get("/patients/42/")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.content.decode()
    assert "Lindqvist" not in answer.content.decode()
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert "Something went wrong on our side" in render_to_string("500.html")
