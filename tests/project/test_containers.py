"""Dockerfile and docker-compose.yml agree with each other, with the settings and with the programs they run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from saas.environment import Environment
from tests.services import ROOT

COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
OUR_SERVICES = ("migrate", "web", "worker", "beat")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VARIABLES = {name.upper() for name in Environment.model_fields}


def image_command() -> list[str]:
    command = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert command is not None
    words: list[str] = yaml.safe_load(command.group(1))
    return words


def test_every_variable_is_a_setting() -> None:
    for service in OUR_SERVICES:
        assert set(SERVICES[service]["environment"]) <= VARIABLES, service
    assert set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT)) <= VARIABLES | {"POSTGRES_PASSWORD", "WEB_PORT"}
    python_variables = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    assert set(re.findall(r"\b([A-Z][A-Z_]+)=", DOCKERFILE)) <= VARIABLES | python_variables


def test_the_image_runs_as_an_ordinary_user_with_hashed_production_requirements() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["sidechart"]
    assert set(re.findall(r"requirements/\w+\.txt", DOCKERFILE)) == {"requirements/base.txt"}
    assert "--require-hashes" in DOCKERFILE


def test_images_are_pinned_and_health_is_checked() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images += [SERVICES[name]["image"] for name in ("postgres", "broker")]
    assert [image for image in images if not re.search(r":\d+\.\d+", image)] == []
    assert all(SERVICES[name]["healthcheck"]["test"] for name in ("postgres", "broker", "web", "worker"))


def test_the_image_contains_no_secrets_and_no_state() -> None:
    assert {".env", ".local", ".git"} <= set((ROOT / ".dockerignore").read_text().splitlines())


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_the_programs_accept_the_containers_commands(service: str) -> None:
    program, *words = SERVICES[service].get("command") or image_command()
    check = "--check-config" if program == "gunicorn" else "--help"
    command = [sys.executable if program == "python" else installed(program), *words, check]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_health_check_of_web_requests_healthz_on_the_base_domain() -> None:
    program = SERVICES["web"]["healthcheck"]["test"][-1]
    compile(program, "healthcheck", "exec")
    assert "/healthz" in program
    assert "BASE_DOMAIN" in program


def test_only_web_has_a_port_and_only_on_this_machine() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "web": ["127.0.0.1:${WEB_PORT:-8000}:8000"]
    }


def test_exports_and_backups_are_on_private_volumes() -> None:
    private = re.findall(r"install .*?--mode=0700((?: \S+)+)", DOCKERFILE)[0].split()
    for volume in ("exports", "backups"):
        folder = f"/var/lib/sidechart/{volume}"
        assert volume in COMPOSE["volumes"]
        assert folder in private
        for service in OUR_SERVICES:
            assert f"{volume}:{folder}" in SERVICES[service]["volumes"], service


def installed(program: str) -> str:
    path = shutil.which(program, path=str(Path(sys.executable).parent))
    assert path, f"{program} is not installed"
    return path
