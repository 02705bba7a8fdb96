"""Rate limits when many users share one IP address."""

from tests.accounts.views.test_sign_in import attempt
from tests.conftest import PASSWORD


def test_sixty_colleagues_behind_one_ip_address_can_all_sign_in_at_once(clinic_client, staff_member):
    emails = [staff_member("bondi", email=f"robin{number}@clinic.example").email for number in range(60)]
    answers = [attempt(clinic_client("bondi"), email, word) for email in emails for word in ("mistyped", PASSWORD)]
    assert [answer.get("Location") for answer in answers] == [None, "/"] * 60


def test_guessing_one_password_is_limited_however_busy_the_ip_address(clinic_client, email, staff_member):
    for number in range(20):
        attempt(clinic_client("bondi"), staff_member("bondi", email=f"robin{number}@clinic.example").email, "mistyped")
    for _ in range(5):
        attempt(clinic_client("bondi"), email, "wrong")
    assert "Too many attempts" in attempt(clinic_client("bondi"), email).content.decode()
