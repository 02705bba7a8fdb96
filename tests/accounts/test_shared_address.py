"""Many people behind one address: room for all of them, and none for guessing."""

from tests.accounts.views.test_sign_in import attempt, email
from tests.conftest import PASSWORD

__all__ = ["email"]


def test_a_clinic_of_sixty_behind_one_address_signs_in_on_monday_morning(browser_at, staff_of):
    emails = [staff_of("bondi", email=f"robin{number}@clinic.example").email for number in range(60)]
    answers = [attempt(browser_at("bondi"), email, word) for email in emails for word in ("mistyped", PASSWORD)]
    assert [answer.get("Location") for answer in answers] == [None, "/"] * 60


def test_guessing_at_one_account_is_over_after_five_tries_however_busy_the_address(browser_at, email, staff_of):
    for number in range(20):
        attempt(browser_at("bondi"), staff_of("bondi", email=f"robin{number}@clinic.example").email, "mistyped")
    for _ in range(5):
        attempt(browser_at("bondi"), email, "wrong")
    assert "Too many tries" in attempt(browser_at("bondi"), email).content.decode()
