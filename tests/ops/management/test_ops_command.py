"""`manage.py ops`."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from tests.services import ROOT

RunOps = Callable[..., Any]


@pytest.fixture
def run_ops(db: None, capsys: pytest.CaptureFixture[str]) -> RunOps:
    """`run_ops("list")` returns the command's JSON output."""

    def run(*words: str) -> Any:
        capsys.readouterr()
        call_command("ops", *words, "--json")
        return json.loads(capsys.readouterr().out)

    return run


def test_an_account_from_invitation_to_suspension(run_ops: RunOps) -> None:
    made = run_ops("create", "Ana@sidechart.example")
    assert made["email"] == "ana@sidechart.example"
    path = made["invite_url"].removeprefix("http://localhost:8000")
    form = {"name": "Ana", "password1": "correct horse 42", "password2": "correct horse 42"}
    assert Client(HTTP_HOST="localhost").post(path, form).status_code == 302
    (listed,) = run_ops("list")
    assert listed | {"last_login": None} == {
        "email": "ana@sidechart.example",
        "name": "Ana",
        "active": True,
        "second_factor": False,
        "last_login": None,
    }
    for action, changed in (("suspend", True), ("suspend", False), ("resume", True), ("resume", False)):
        assert run_ops(action, "ana@sidechart.example") == {"email": "ana@sidechart.example", "changed": changed}


def test_second_factor_and_password_can_be_reset(run_ops: RunOps, operator: Callable[..., User]) -> None:
    email = operator("ana").email
    assert run_ops("reset-second-factor", email)["changed"]
    assert not run_ops("reset-second-factor", email)["changed"]
    assert run_ops("reset-password", email)["reset_url"].startswith("http://localhost:8000/ops/password/reset/key/")


def test_the_output_without_json_is_text(
    capsys: pytest.CaptureFixture[str], db: None, operator: Callable[..., User]
) -> None:
    call_command("ops", "list")
    assert "No operators yet" in capsys.readouterr().out
    operator("ana")
    for words, text in (
        (["list"], "ana@sidechart.example  Ana   active  on"),
        (["suspend", "ana@sidechart.example"], "can't sign in"),
        (["create", "ben@sidechart.example"], "Invitation (emailed; secret): http://localhost:8000/ops/invite/"),
    ):
        call_command("ops", *words)
        assert text in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["create", "nobody"], "isn't an email address"),
        (["suspend", "x@y.example"], "isn't an operator"),
        (["resume", "x@y.example"], "isn't an operator"),
        (["reset-second-factor", "x@y.example"], "isn't an operator"),
        (["reset-password", "x@y.example"], "isn't an operator"),
    ],
)
def test_a_refusal_is_one_sentence_with_exit_status_1(
    db: None, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("ops", *words)
    assert ended.value.code == 1
    output = capsys.readouterr()
    assert sentence in output.err
    assert (output.out, output.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("words", [[], ["create"], ["nothing"], ["list", "ana@sidechart.example"]])
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    command = [sys.executable, "manage.py", "ops", *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "usage:" in ended.stderr
