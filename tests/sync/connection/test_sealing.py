"""The sealed key opens with our keys, in its own clinic, and nowhere else."""

import pytest

from sync.cliniko.client import ApiKey
from sync.connection.sealing import KeyCannotBeOpened, seal, unseal

OLD, NEW = "an old sealing key of forty characters!!", "a new sealing key of forty characters!!!"
KEY = ApiKey("MS0xLUNBTkFSWS1rZXk-au2")


def test_it_opens_in_the_clinic_it_was_sealed_in() -> None:
    assert unseal(seal(KEY, clinic="a", keys=[OLD]), clinic="a", keys=[OLD]).reveal() == KEY.reveal()


def test_it_does_not_open_in_another_clinic() -> None:
    with pytest.raises(KeyCannotBeOpened):
        unseal(seal(KEY, clinic="a", keys=[OLD]), clinic="b", keys=[OLD])


def test_the_first_key_seals_and_all_open() -> None:
    assert unseal(seal(KEY, clinic="a", keys=[OLD]), clinic="a", keys=[NEW, OLD]).reveal() == KEY.reveal()
    with pytest.raises(KeyCannotBeOpened):
        unseal(seal(KEY, clinic="a", keys=[NEW, OLD]), clinic="a", keys=[OLD])


def test_what_is_stored_does_not_show_the_key() -> None:
    assert "CANARY" not in seal(KEY, clinic="a", keys=[OLD])
