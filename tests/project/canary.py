"""A key and a patient with unmistakable values."""

from base64 import b64encode

from tests.payloads import patient_payload

KEY = "CanaryKeyThatNobodyMaySee0123456789-au1"
KEY_FORMS = {KEY, KEY.removesuffix("-au1"), b64encode(f"{KEY}:".encode()).decode().rstrip("=")[:-1]}
PATIENT_ID = "1713650742029190777"
CANARY = patient_payload(
    PATIENT_ID,
    first_name="Xanthippe",
    last_name="Quetzal",
    email="xanthippe.quetzal@example.com",
    notes="Zugzwang in the left knee",
    patient_phone_numbers=[{"phone_type": "Mobile", "number": "0491 570 156"}],
)
PERSONAL_DATA = {"xanthippe", "quetzal", "zugzwang", "0491 570 156", "0491570156", "491570156"}


def words_in(text: str, *words: str) -> set[str]:
    """Return the words that occur in the text, ignoring case."""
    return {word for word in words if word.lower() in text.lower()}
