"""Fixtures that run `manage.py clinic`."""

import json
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command


@pytest.fixture
def run_clinic(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`run_clinic("show", "bondi")` returns the command's JSON output."""

    def run(*words: str, stdin: str = "") -> Any:
        monkeypatch.setattr(sys, "stdin", StringIO(stdin))
        capsys.readouterr()
        call_command("clinic", *words, "--json")
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`refusal("show", "nowhere")` returns the one sentence that the command refuses with."""

    def run(*words: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            call_command("clinic", *words)
        output = capsys.readouterr()
        assert (stopped.value.code, output.out, output.err.count("\n")) == (1, "", 1)
        return output.err

    return run
