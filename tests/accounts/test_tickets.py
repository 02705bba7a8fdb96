"""Return tickets: where they may lead, and when they stop working."""

from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import tickets
from accounts.models import UsedTicket, User
from tenants.context import clinic_context

NOW = 1_800_000_000


def request_of(user, session_key="a" * 32):
    return SimpleNamespace(user=user, session=SimpleNamespace(session_key=session_key))


@pytest.mark.parametrize("path", ["/", "/patients/42/", "/patients?patient_id=42&x=%C3%A9", "/settings/staff/"])
def test_a_ticket_leads_back_to_its_page(user, path):
    with clinic_context("bondi"):
        assert tickets.redeem(tickets.issue(path), request_of(user)) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "patients/42/",
        "//evil.example/",
        "/\\evil.example/",
        "https://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "/nothing/here",
        "/patients/42/\r\nSet-Cookie: a=b",
        "/patients/42/\n",
        "/patients/4 2/",
        "/patients/42/@evil.example",
        "/．．/patients/42/",
        "/patients/" + "4" * 2000 + "/",
    ],
)
def test_no_ticket_is_issued_for_anything_but_our_pages(bondi, path):
    with clinic_context("bondi"):
        with pytest.raises(tickets.InvalidReturnPath):
            tickets.issue(path)
        assert tickets.sign_in_redirect(path)["Location"] == "/login"


def test_a_ticket_expires_after_fifteen_minutes(user):
    with clinic_context("bondi"):
        ticket = tickets.issue("/", now=NOW)
        assert tickets.redeem(ticket, request_of(user), now=NOW + 15 * 60) == "/"
        assert tickets.redeem(ticket, request_of(user), now=NOW + 15 * 60 + 1) is None


def test_a_modified_ticket_is_rejected(user):
    with clinic_context("bondi"):
        ticket = tickets.issue("/patients/42/")
        for at in range(len(ticket)):
            changed = ticket[:at] + ("A" if ticket[at] != "A" else "B") + ticket[at + 1 :]
            assert tickets.redeem(changed, request_of(user)) in (None, "/patients/42/")
        middle = len(ticket) // 2
        assert tickets.redeem(ticket[:middle] + ticket[middle + 4 :], request_of(user)) is None


def test_another_spelling_of_a_used_ticket_is_still_used(user):
    """Base64 leaves bits unused at the end, so a ticket has up to sixteen spellings. All share one redemption."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    with clinic_context("bondi"):
        ticket = tickets.issue("/")
        assert tickets.redeem(ticket, request_of(user)) == "/"
        spellings = [ticket[:-1] + letter for letter in letters]
        assert {tickets.redeem(spelling, request_of(user, "b" * 32)) for spelling in spellings} == {None}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300))
def test_arbitrary_text_is_no_ticket(user, text):
    with clinic_context("bondi"):
        assert tickets.redeem(text, request_of(user)) is None


def test_a_ticket_is_rejected_at_another_clinic_and_not_used_up_there(twins):
    user = User(pk=1001)
    with clinic_context("bondi"):
        ticket = tickets.issue("/patients/42/")
    with clinic_context("harbour"):
        assert tickets.redeem(ticket, request_of(user)) is None
        assert not UsedTicket.objects.exists()
    with clinic_context("bondi"):
        assert tickets.redeem(ticket, request_of(user)) == "/patients/42/"


def test_a_ticket_survives_a_change_of_secret_key_with_a_fallback(user, settings):
    with clinic_context("bondi"):
        ticket = tickets.issue("/")
        old, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 50
        assert tickets.redeem(ticket, request_of(user)) is None
        settings.SECRET_KEY_FALLBACKS = [old]
        assert tickets.redeem(ticket, request_of(user)) == "/"


def test_the_tickets_length_does_not_reveal_the_id(bondi):
    with clinic_context("bondi"):
        assert len({len(tickets.issue(f"/patients?patient_id={'9' * digits}")) for digits in range(1, 20)}) == 1


def test_a_visitor_cannot_redeem_a_ticket(bondi):
    with clinic_context("bondi"):
        ticket = tickets.issue("/")
        assert tickets.redeem(ticket, request_of(None)) is None
        assert not UsedTicket.objects.exists()


def test_of_concurrent_requests_only_those_of_one_session_redeem_the_ticket(run_concurrently):
    [(user, ticket)] = run_concurrently(
        lambda: (User.objects.create_user("racer@clinic.example", name="Racer"), tickets.issue("/patients/42/"))
    )
    try:
        racers = [partial(tickets.redeem, ticket, request_of(user, letter * 32)) for letter in "aabbccdd"]
        assert sorted(run_concurrently(*racers), key=str) == ["/patients/42/"] * 2 + [None] * 6
    finally:
        run_concurrently(user.delete)
