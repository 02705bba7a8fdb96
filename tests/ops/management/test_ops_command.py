"""`manage.py ops …`: as a process, with right and with wrong input."""

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

Run = Callable[..., Any]


@pytest.fixture
def run(db: None, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("list")`: the command's JSON answer."""

    def answer(*words: str) -> Any:
        capsys.readouterr()
        call_command("ops", *words, "--json")
        return json.loads(capsys.readouterr().out)

    return answer


def test_an_account_from_its_invitation_to_its_suspension(run: Run) -> None:
    made = run("create", "Ana@sidechart.example")
    assert made["email"] == "ana@sidechart.example"
    path = made["invite_url"].removeprefix("http://localhost:8000")
    form = {"name": "Ana", "password1": "correct horse 42", "password2": "correct horse 42"}
    assert Client(HTTP_HOST="localhost").post(path, form).status_code == 302
    (listed,) = run("list")
    assert listed | {"last_login": None} == {
        "email": "ana@sidechart.example",
        "name": "Ana",
        "active": True,
        "second_factor": False,
        "last_login": None,
    }
    for action, changed in (("suspend", True), ("suspend", False), ("resume", True), ("resume", False)):
        assert run(action, "ana@sidechart.example") == {"email": "ana@sidechart.example", "changed": changed}


def test_factor_and_password_are_reset(run: Run, operator: Callable[..., User]) -> None:
    email = operator("ana").email
    assert run("reset-second-factor", email)["changed"]
    assert not run("reset-second-factor", email)["changed"]
    assert run("reset-password", email)["reset_url"].startswith("http://localhost:8000/ops/password/reset/key/")


def test_without_json_it_speaks_in_sentences(
    capsys: pytest.CaptureFixture[str], db: None, operator: Callable[..., User]
) -> None:
    call_command("ops", "list")
    assert "No operators yet" in capsys.readouterr().out
    operator("ana")
    for words, said in (
        (["list"], "ana@sidechart.example  Ana   active  on"),
        (["suspend", "ana@sidechart.example"], "can't sign in"),
        (["create", "ben@sidechart.example"], "Invitation (emailed; secret): http://localhost:8000/ops/invite/"),
    ):
        call_command("ops", *words)
        assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "nobody"], "isn't an email address"),
        (["suspend", "x@y.example"], "isn't an operator"),
        (["resume", "x@y.example"], "isn't an operator"),
        (["reset-second-factor", "x@y.example"], "isn't an operator"),
        (["reset-password", "x@y.example"], "isn't an operator"),
    ],
)
def test_a_refusal_is_one_sentence_and_status_1(
    db: None, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("ops", *words)
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert said in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("words", [[], ["create"], ["nothing"], ["list", "ana@sidechart.example"]])
def test_wrong_usage_is_status_2(words: list[str]) -> None:
    command = [sys.executable, "manage.py", "ops", *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "usage:" in ended.stderr
