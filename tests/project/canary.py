"""A key and a patient with unmistakable values, and searches for them in texts and tables."""

from base64 import b64encode

from django.db import connection

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


def tables_containing(schema: str, *words: str) -> set[str]:
    """Return the tables of a schema that have one of the words in any column, ignoring case."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{schema}"."{table}" AS r WHERE r::text ILIKE ANY (%s))',  # noqa: S608
                [[f"%{word}%" for word in words]],
            )
            if cursor.fetchone()[0]:
                found.add(table)
    return found
