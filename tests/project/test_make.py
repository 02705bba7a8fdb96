"""The two commands of a fresh machine, and the one of CI."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.services import ROOT


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, **environment}
    return subprocess.run(["make", *words], cwd=ROOT, env=told, capture_output=True, text=True, check=False)


def test_help_lists_every_target() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^  make (\S+)", make().stdout, re.MULTILINE)
    assert listed == targets


def test_a_python_that_is_too_old_is_refused_with_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    refused = make("--always-make", ".venv/.installed", f"PYTHON={old}")
    assert refused.returncode != 0
    assert refused.stderr.startswith("Sidechart needs Python 3.11 or later")


def test_a_command_that_runs_twice_installs_once() -> None:
    assert "pip install" in make("--dry-run", "--always-make", "setup").stdout
    assert "pip install" not in make("--dry-run", "setup", "--old-file=requirements/dev.txt").stdout


@pytest.mark.parametrize("folder", ["requirements", "bench/requirements"])
def test_what_is_pinned_names_no_index(folder: str) -> None:
    pinned = "".join(locked.read_text() for locked in (ROOT / folder).glob("*.txt"))
    assert "--hash=sha256:" in pinned
    assert not re.search(r"https?://|--index-url|--find-links", pinned)


def test_ci_is_sound_shell() -> None:
    subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=True)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
