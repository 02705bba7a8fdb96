"""What `manage.py clinic` refuses: exit status 1 with one sentence, 2 for wrong usage."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.db import connection

from ops.management.commands.clinic import Command
from tenants.models import Clinic, Domain
from tests.ops.database import clinic_schemas
from tests.services import ROOT

Refusal = Callable[..., str]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["create", "Bondi", "--name", "B", "--owner", "a@b.example"], "lowercase letters"),
        (["create", "bondi", "--name", "B", "--owner", "a@b.example"], "taken"),
        (["create", "www", "--name", "B", "--owner", "a@b.example"], "reserved"),
        (["create", "coogee", "--name", " ", "--owner", "a@b.example"], "A name is required"),
        (["create", "coogee", "--name", "C", "--owner", "nobody"], "isn't an email address"),
        (["show", "nowhere"], "no clinic 'nowhere'"),
        (["sync", "nowhere"], "no clinic 'nowhere'"),
        (["invite", "nowhere", "--email", "a@b.example"], "no clinic 'nowhere'"),
        (["invite", "bondi", "--email", "nobody"], "isn't an email address"),
        (["sync", "bondi"], "No Cliniko API key"),
        (["sync", "bondi", "--full"], "No Cliniko API key"),
        (["sync", "bondi", "--dry-run"], "No Cliniko API key"),
    ],
)
def test_wrong_input_is_refused_in_one_sentence_and_changes_nothing(
    bondi: Clinic, harbour: Clinic, refusal: Refusal, words: list[str], sentence: str
) -> None:
    before = clinic_schemas()
    assert sentence in refusal(*words)
    assert clinic_schemas() == before
    assert set(Domain.objects.values_list("domain", flat=True)) == {"bondi", "harbour"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "bondi"), "Tables are missing"),
        (("suspend", "bondi", "--reason", "x"), "Tables are missing"),
        (("rename", "bondi", "manly"), "Tables are missing"),
        (("sync", "bondi"), "Tables are missing"),
        (("close", "bondi", "--on", "2040-01-01"), "The access log can't be written"),
        (("export", "bondi", "--to", "."), "The access log can't be written"),
    ],
)
def test_missing_tables_are_reported_in_one_sentence(
    bondi: Clinic, refusal: Refusal, words: tuple[str, ...], sentence: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SCHEMA {bondi.schema_name} RENAME TO clinic_that_is_gone")
    assert refusal(*words).startswith(sentence)


@pytest.mark.parametrize("words", [[], ["create"], ["frobnicate"], ["show"], ["invite", "bondi", "--role", "king"]])
def test_wrong_usage_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        Command().run_from_argv(["manage.py", "clinic", *words])
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_process_with_wrong_usage_exits_with_2_without_a_traceback() -> None:
    command = [sys.executable, "manage.py", "clinic", "frobnicate"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr
