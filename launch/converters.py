"""What is a Cliniko id: up to twenty ASCII digits, text everywhere.

Ids of 19 digits are beyond 2^53, where JavaScript and floats merge neighbours: never a number, in any language.
"""

import re

CLINIKO_ID = "[1-9][0-9]{0,19}"


def is_cliniko_id(value: str) -> bool:
    """Whether `value` is an id as Cliniko writes them: no sign, blank, leading zero or digit of another script."""
    return re.fullmatch(CLINIKO_ID, value) is not None


class ClinikoIdConverter:
    """`<cliniko_id:patient_id>` in an address."""

    regex = CLINIKO_ID

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        if not is_cliniko_id(value):
            raise ValueError("This is not a Cliniko id.")
        return value
