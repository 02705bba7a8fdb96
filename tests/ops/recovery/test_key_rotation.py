"""`manage.py clinic reseal`, after which the old sealing keys can be removed."""

import json
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from pytest_django import Settings

from accounts import second_factors
from accounts.models import User
from sync.connection import state as connection_state
from tenants.context import clinic_context
from tests.accounts.second_factors import SECRET
from tests.cliniko_sandbox import Sandbox

OLD, NEW = "the-old-sealing-key-" * 2, "the-new-sealing-key-" * 2


@pytest.fixture
def sealed(sandbox: Sandbox, staff_member: Callable[..., User], settings: Settings) -> Sandbox:
    """Both clinics with an API key, and a user with an authenticator app and recovery codes."""
    settings.SEALING_KEYS = [OLD]
    for label in ("bondi", "harbour"):
        sandbox.connect(label)
        robin = staff_member(label)
        with clinic_context(label):
            for kind, name in (("totp", "secret"), ("recovery_codes", "seed")):
                data = {name: second_factors.seal(f"{kind} of {label}", robin.pk)}
                Authenticator.objects.create(user=robin, type=kind, data=data)
    return sandbox


def secrets(label: str) -> list[str]:
    with clinic_context(label):
        found = [connection_state.stored_key(connection_state.load()).reveal()]
        for factor in Authenticator.objects.order_by("type"):
            (secret,) = (factor.data[name] for name in ("secret", "seed") if name in factor.data)
            found.append(second_factors.unseal(secret, factor.user_id))
    return found


def test_every_clinics_secrets_can_be_decrypted_with_only_the_new_key(
    sealed: Sandbox, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {label: secrets(label) for label in ("bondi", "harbour")}
    settings.SEALING_KEYS = [NEW, OLD]
    call_command("clinic", "reseal", "--json")
    assert json.loads(capsys.readouterr().out)["clinics"] == 2
    settings.SEALING_KEYS = [NEW]
    assert {label: secrets(label) for label in ("bondi", "harbour")} == before
    assert before["bondi"] != before["harbour"]


def test_secrets_that_cannot_be_decrypted_are_listed_kept_and_fail_the_command(
    sealed: Sandbox, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.SEALING_KEYS = [NEW]
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", "reseal")
    output = capsys.readouterr()
    assert stopped.value.code == 1
    assert "bondi: the Cliniko API key can't be decrypted." in output.out
    assert "harbour: 2 second factors can't be decrypted." in output.out
    assert "keep the old SEALING_KEYS" in output.err
    settings.SEALING_KEYS = [OLD]
    assert secrets("bondi")[1:] == ["recovery_codes of bondi", "totp of bondi"]


def test_operators_second_factors_are_resealed_too(
    settings: Settings, operator: Callable[..., User], capsys: pytest.CaptureFixture[str]
) -> None:
    settings.SEALING_KEYS = [OLD]
    operator("ana")
    settings.SEALING_KEYS = [NEW, OLD]
    call_command("clinic", "reseal", "--json")
    settings.SEALING_KEYS = [NEW]
    factor = Authenticator.objects.get()
    assert second_factors.unseal(factor.data["secret"], factor.user_id) == SECRET
    settings.SEALING_KEYS = [OLD + "another"]
    with pytest.raises(SystemExit):
        call_command("clinic", "reseal")
    assert "1 second factors of operators can't be decrypted." in capsys.readouterr().out
