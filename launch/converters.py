"""The path converter for Cliniko IDs: one to twenty ASCII digits, always text.

IDs have 19 digits, beyond 2^53, where JavaScript and floats merge neighbours: never convert one to a number.
"""

import re

CLINIKO_ID = "[1-9][0-9]{0,19}"


def is_cliniko_id(value: str) -> bool:
    """Return True for a Cliniko ID: no sign, space, leading zero or digits of another script."""
    return re.fullmatch(CLINIKO_ID, value) is not None


class ClinikoIdConverter:
    """`<cliniko_id:patient_id>` in a URL pattern."""

    regex = CLINIKO_ID

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        if not is_cliniko_id(value):
            raise ValueError("This is not a Cliniko ID.")
        return value
