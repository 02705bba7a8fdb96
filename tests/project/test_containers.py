"""Dockerfile and docker-compose.yml, as far as they can be tried without an engine."""

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

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("migrate", "web", "worker", "beat")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BASE_IMAGES = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
SETTINGS = {name.upper() for name in Environment.model_fields}
OF_COMPOSE_ALONE = {"POSTGRES_PASSWORD", "WEB_PORT"}


def image_command() -> list[str]:
    command = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert command is not None
    loaded: list[str] = yaml.safe_load(command.group(1))
    return loaded


def test_compose_runs_the_product_and_what_it_stands_on() -> None:
    assert set(SERVICES) == {"postgres", "broker", *OURS}


@pytest.mark.parametrize("service", OURS)
def test_every_variable_set_is_a_setting(service: str) -> None:
    assert set(SERVICES[service]["environment"]) <= SETTINGS


def test_every_variable_asked_for_is_a_setting_or_of_compose_alone() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert asked <= SETTINGS | OF_COMPOSE_ALONE


def test_the_image_sets_settings_alone() -> None:
    of_python = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    assert set(re.findall(r"\b([A-Z][A-Z_]+)=", DOCKERFILE)) <= SETTINGS | of_python


@pytest.mark.parametrize("image", [*BASE_IMAGES, SERVICES["postgres"]["image"], SERVICES["broker"]["image"]])
def test_images_are_pinned_by_version(image: str) -> None:
    assert re.search(r":\d+\.\d+", image)


def test_the_image_runs_as_an_ordinary_user_with_what_the_product_needs_alone() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["sidechart"]
    assert re.findall(r"requirements/\w+\.txt", DOCKERFILE) == ["requirements/base.txt"] * 2
    assert "--require-hashes" in DOCKERFILE


@pytest.mark.parametrize("secret", [".env", ".local", ".git"])
def test_nothing_private_is_copied_into_the_image(secret: str) -> None:
    assert secret in (ROOT / ".dockerignore").read_text().splitlines()


@pytest.mark.parametrize("service", OURS)
def test_the_commands_of_the_containers_exist_and_know_their_options(service: str) -> None:
    program, *words = SERVICES[service].get("command") or image_command()
    tried = {
        "gunicorn": [*words, "--check-config"],
        "celery": [*words, "--help"],
        "python": [*words, "--help"],
    }[program]
    command = [sys.executable, *tried] if program == "python" else [_beside_python(program), *tried]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("service", ["postgres", "broker", "web", "worker"])
def test_health_is_checked(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"]


def test_web_is_asked_for_healthz_under_the_base_domain() -> None:
    program = SERVICES["web"]["healthcheck"]["test"][-1]
    compile(program, "healthcheck", "exec")
    assert "/healthz" in program
    assert "BASE_DOMAIN" in program


def test_the_database_and_the_broker_are_open_to_the_other_containers_alone() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]
    assert SERVICES["web"]["ports"] == ["127.0.0.1:${WEB_PORT:-8000}:8000"]


@pytest.mark.parametrize("service", OURS)
@pytest.mark.parametrize("kept", ["exports", "backups"])
def test_what_a_container_writes_outlives_it_in_a_folder_that_is_its_own(service: str, kept: str) -> None:
    folder = f"/var/lib/sidechart/{kept}"
    assert f"{kept}:{folder}" in SERVICES[service]["volumes"]
    assert kept in COMPOSE["volumes"]
    assert folder in re.findall(r"install .*?--mode=0700((?: \S+)+)", DOCKERFILE)[0].split()


def _beside_python(program: str) -> str:
    found = shutil.which(program, path=str(Path(sys.executable).parent))
    assert found, f"{program} is not installed"
    return found
