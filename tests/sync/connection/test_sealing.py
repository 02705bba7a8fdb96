"""A sealed key decrypts with our keys in its own clinic only."""

import pytest

from sync.cliniko.client import ApiKey
from sync.connection.sealing import KeyCannotBeOpened, seal, unseal

OLD, NEW = "an old sealing key of forty characters!!", "a new sealing key of forty characters!!!"
KEY = ApiKey("MS0xLUNBTkFSWS1rZXk-au2")


def test_key_decrypts_in_the_clinic_it_was_sealed_in() -> None:
    assert unseal(seal(KEY, clinic="a", keys=[OLD]), clinic="a", keys=[OLD]).reveal() == KEY.reveal()


def test_key_does_not_decrypt_in_another_clinic() -> None:
    with pytest.raises(KeyCannotBeOpened):
        unseal(seal(KEY, clinic="a", keys=[OLD]), clinic="b", keys=[OLD])


def test_first_sealing_key_encrypts_and_all_decrypt() -> None:
    assert unseal(seal(KEY, clinic="a", keys=[OLD]), clinic="a", keys=[NEW, OLD]).reveal() == KEY.reveal()
    with pytest.raises(KeyCannotBeOpened):
        unseal(seal(KEY, clinic="a", keys=[NEW, OLD]), clinic="a", keys=[OLD])


def test_sealed_key_does_not_contain_the_key() -> None:
    assert "CANARY" not in seal(KEY, clinic="a", keys=[OLD])
