"""The icon and the token of a patient's tab."""

import html
import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from django.test import Client

from launch.favicon import COLOURS, colour, icon, initials
from tests.launch.test_style import contrast


def icon_of(browser: Client, patient_id: str = "42") -> str:
    page = browser.get(f"/patients/{patient_id}/").content.decode()
    found = re.search(r'<link rel="icon" href="data:image/svg\+xml,([^"]*)"', page)
    assert found
    return unquote(html.unescape(found[1]))


def token_of(browser: Client, patient_id: str = "42") -> str:
    return browser.get(f"/patients/{patient_id}/").content.decode().split('data-other-tab="')[1].split('"')[0]


def test_the_icon_has_the_initials_on_the_clinics_colour(two_clinics: None, force_login: Callable[..., Client]) -> None:
    at_bondi, at_harbour = icon_of(force_login("bondi")), icon_of(force_login("harbour"))
    assert (">AL<" in at_bondi, ">BO<" in at_harbour) == (True, True)
    assert colour("bondi") in at_bondi
    assert colour("harbour") in at_harbour
    assert colour("bondi") != colour("harbour")


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ada Lindqvist", "AL"),
        ("ada de la cruz", "AC"),
        ("Ōkiku", "Ō"),
        ("’Aolani O'Hara", "AO"),
        ("李 小龙", "李小"),
        ("😀 !", "?"),
        ("", "?"),
    ],
)
def test_initials_come_from_the_first_and_last_words(name: str, letters: str) -> None:
    assert initials(name) == letters


@pytest.mark.parametrize("ground", COLOURS)
def test_white_letters_are_readable_on_every_colour(ground: str) -> None:
    assert contrast("#ffffff", ground) >= 4.5


@pytest.mark.parametrize("name", ['<script> "x', "& &", "< <"])
def test_markup_in_a_name_is_inert_in_the_icon(name: str) -> None:
    drawn = icon(name, "bondi")
    assert not set("<>\"'&") & set(drawn)
    assert "<script" not in unquote(drawn)


def test_the_tab_token_identifies_no_one(
    reception: Client, add_patient: Callable[..., str], force_login: Callable[..., Client]
) -> None:
    add_patient("bondi", "43")
    token = token_of(reception)
    assert re.fullmatch("[0-9a-f]{16}", token)
    assert token == token_of(reception)
    assert (
        len({token, token_of(reception, "43"), token_of(force_login("bondi")), token_of(force_login("harbour"))}) == 4
    )
