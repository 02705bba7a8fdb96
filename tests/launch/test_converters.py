"""The format of a Cliniko ID."""

import pytest
from django.urls import resolve, reverse

from launch.converters import is_cliniko_id


@pytest.mark.parametrize("value", ["1", "42", "1713650742029190531", "9" * 20])
def test_up_to_twenty_digits_are_an_id(value: str) -> None:
    assert is_cliniko_id(value)


@pytest.mark.parametrize(
    "value",
    ["", "0", "042", "+42", "-42", "4 2", " 42", "42\n", "4.2", "4e2", "0x2a", "٤٢", "４２", "42\x00", "9" * 21],
)
def test_anything_else_is_not(value: str) -> None:
    assert not is_cliniko_id(value)


def test_neighbours_beyond_what_a_float_can_hold_stay_two_patients() -> None:
    ids = ["9007199254740992", "9007199254740993"]
    addresses = [reverse("patient", args=[patient_id]) for patient_id in ids]
    assert [resolve(address).kwargs["patient_id"] for address in addresses] == ids
