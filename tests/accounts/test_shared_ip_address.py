"""Many people behind one address: room for all of them, and none for guessing."""

from tests.accounts.views.test_sign_in import attempt, email
from tests.conftest import PASSWORD

__all__ = ["email"]


def test_a_clinic_of_sixty_behind_one_address_signs_in_on_monday_morning(clinic_client, staff_member):
    emails = [staff_member("bondi", email=f"robin{number}@clinic.example").email for number in range(60)]
    answers = [attempt(clinic_client("bondi"), email, word) for email in emails for word in ("mistyped", PASSWORD)]
    assert [answer.get("Location") for answer in answers] == [None, "/"] * 60


def test_guessing_at_one_account_is_over_after_five_tries_however_busy_the_address(clinic_client, email, staff_member):
    for number in range(20):
        attempt(clinic_client("bondi"), staff_member("bondi", email=f"robin{number}@clinic.example").email, "mistyped")
    for _ in range(5):
        attempt(clinic_client("bondi"), email, "wrong")
    assert "Too many tries" in attempt(clinic_client("bondi"), email).content.decode()
