"""make help, make setup and the CI script."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.services import ROOT


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environment}
    return subprocess.run(["make", *words], cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def test_help_lists_every_target() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^  make (\S+)", make().stdout, re.MULTILINE)
    assert listed == targets


def test_an_old_python_is_refused_in_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    result = make("--always-make", ".venv/.installed", f"PYTHON={old}")
    assert result.returncode != 0
    assert result.stderr.startswith("Sidechart needs Python 3.11 or later")


def test_setup_installs_only_once() -> None:
    assert "pip install" in make("--dry-run", "--always-make", "setup").stdout
    assert "pip install" not in make("--dry-run", "setup", "--old-file=requirements/dev.txt").stdout


@pytest.mark.parametrize("folder", ["requirements", "bench/requirements"])
def test_locked_requirements_have_hashes_and_no_index_url(folder: str) -> None:
    locked = "".join(path.read_text() for path in (ROOT / folder).glob("*.txt"))
    assert "--hash=sha256:" in locked
    assert not re.search(r"https?://|--index-url|--find-links", locked)


def test_the_ci_script_is_valid_shell() -> None:
    subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=True)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
