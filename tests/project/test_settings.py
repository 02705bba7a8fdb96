"""Environment variables: wrong values are refused with a sentence, and all are documented."""

import re

import kombu
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from saas.environment import Environment, read_environment
from tests.project.production import PRODUCTION, production_settings, run_python
from tests.services import ROOT

VARIABLES = {name.upper() for name in Environment.model_fields}
PAGE = (ROOT / "docs" / "configuration.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
COMPOSE_VARIABLES = {"POSTGRES_PASSWORD", "WEB_PORT"}

WRONG = {
    "DATABASE_URL": ["mysql://user:opensesame@db/sidechart", "postgres://", "postgres://user:opensesame@db:port/name"],
    "CELERY_BROKER_URL": ["https://broker.internal", "redis://user:opensesame@broker:port/0"],
    "BASE_DOMAIN": ["Sidechart.example", "https://sidechart.example", "sidechart.example:443", "sidechart.example."],
    "PUBLIC_SCHEME": ["ftp"],
    "PUBLIC_PORT": ["0", "65536", "https"],
    "SECRET_KEY": ["", "opensesame"],
    "SEALING_KEYS": ["", ",", "opensesame", f"{PRODUCTION['SEALING_KEYS']},opensesame"],
    "CLINIKO_API_URL": [
        "http://api.cliniko.com/v1",
        "api.cliniko.com",
        "ftp://api.cliniko.com",
        "https://api.{region}.cliniko.com/v1",
    ],
    "CLINIKO_WEB_URL": ["cliniko.com", "https://{clinic}.cliniko.com"],
    "CLINIKO_APP_NAME": ["Side(chart)", "Side\nchart", "Sídechart", "x" * 101],
    "CLINIKO_CONTACT_EMAIL": ["", "nobody", "nöbody@sidechart.example", "a@b.example\nX-Header: 1"],
    "EMAIL_URL": ["nonsense", "https://mail.internal", "smtp://mail:port", "smtps://mail:465", "submission://"],
    "DEFAULT_FROM_EMAIL": ["nobody", "Sidechart\nBcc: a@b.example <a@b.example>"],
    "DEBUG": ["perhaps", "true"],
    "METRICS_TOKEN": ["short", "opensesame with blanks in it"],
    "LOG_LEVEL": ["LOUD"],
    "CLINIKO_REQUESTS_PER_MINUTE": ["9", "many"],
    "CLINIKO_REQUESTS_RESERVED": ["-1", "101"],
    "SYNC_INTERVAL_SECONDS": ["0", "3601", "often"],
    "STATE_DIRECTORY": ["/nowhere/at/all", "/dev/null"],
    "EXPORT_DIRECTORY": ["/nowhere/at/all", "/dev/null"],
    "BACKUP_DIRECTORY": ["/nowhere/at/all", "/dev/null"],
}


def documented(text: str) -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE))


def refuse(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Return the error when production starts with these changes."""
    for name in VARIABLES:
        monkeypatch.setenv(name, (PRODUCTION | environment).get(name, ""))
    with pytest.raises(SystemExit) as stopped:
        read_environment()
    return str(stopped.value.code)


def test_every_variable_is_tested_with_a_wrong_value() -> None:
    assert set(WRONG) == VARIABLES


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_the_error_for_a_wrong_value_names_the_variable_and_not_the_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    error = refuse(monkeypatch, **{name: value})
    assert re.fullmatch(rf"{name} must [^\n]*\.", error)
    assert "opensesame" not in error
    assert "unable to" not in error


@pytest.mark.parametrize("name", ["DATABASE_URL", "EMAIL_URL", "SECRET_KEY"])
def test_a_wrong_value_stops_a_command_with_one_sentence(name: str) -> None:
    run = run_python("manage.py", "check", **{name: WRONG[name][-1]})
    assert (run.returncode, run.stdout) == (1, "")
    assert re.fullmatch(rf"{name} must [^\n]*\.\n", run.stderr)


def test_production_settings_pass_the_deployment_checks() -> None:
    run = run_python("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert run.returncode == 0, run.stderr
    assert "no issues (0 silenced)" in run.stdout + run.stderr


def test_http_does_not_pass_the_deployment_checks() -> None:
    run = run_python("manage.py", "check", "--deploy", "--fail-level", "WARNING", PUBLIC_SCHEME="http")
    assert run.returncode == 1
    assert "security.W" in run.stderr


@pytest.mark.parametrize("options", [("--settings", "no_such_settings"), ("--settings=no_such_settings",)])
def test_a_command_uses_the_given_settings_module(options: tuple[str, ...]) -> None:
    run = run_python("manage.py", "check", *options)
    assert run.returncode == 1
    assert "No module named 'no_such_settings'" in run.stderr


def test_the_docs_describe_every_variable_and_no_others() -> None:
    assert documented(PAGE) == VARIABLES | COMPOSE_VARIABLES


def test_every_row_of_the_docs_is_complete() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)


def test_env_example_has_every_variable_and_no_others() -> None:
    assert set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == VARIABLES | COMPOSE_VARIABLES


def test_env_example_has_no_secrets_and_the_first_missing_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert {name for name, value in values.items() if value} == {"BASE_DOMAIN"}
    ours = {name: value for name, value in values.items() if name in VARIABLES}
    assert refuse(monkeypatch, **dict.fromkeys(PRODUCTION, "") | ours).startswith("SECRET_KEY must be at least")


def test_values_commented_out_in_env_example_are_valid() -> None:
    commented = dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    of_one_machine = COMPOSE_VARIABLES | {"STATE_DIRECTORY", "EXPORT_DIRECTORY", "BACKUP_DIRECTORY"}
    example = production_with(
        **{name.lower(): value for name, value in commented.items() if value and name not in of_one_machine}
    )
    for name in ("cliniko_api_url", "cliniko_app_name", "sync_interval_seconds", "log_level", "debug", "public_scheme"):
        assert getattr(example, name) == Environment.model_fields[name].default


@pytest.mark.parametrize(
    "setting",
    ["TENANT_LIMIT_SET_CALLS", "SHOW_PUBLIC_IF_NO_TENANT_FOUND", "PG_EXTRA_SEARCH_PATHS", "TENANT_BASE_SCHEMA"],
)
def test_an_unsafe_django_tenants_setting_stops_the_start(settings: Settings, setting: str) -> None:
    setattr(settings, setting, ["somewhere"])
    with pytest.raises(SystemCheckError, match=f"tenants.E00.*{setting} must stay unset"):
        call_command("check")


@pytest.mark.parametrize(
    ("setting", "app", "number"),
    [
        ("SHARED_APPS", "sync", "E010"),
        ("SHARED_APPS", "launch", "E010"),
        ("SHARED_APPS", "exports", "E010"),
        ("TENANT_APPS", "accounts", "E011"),
        ("TENANT_APPS", "django.contrib.sessions", "E011"),
    ],
)
def test_an_app_in_the_wrong_schema_stops_the_start(settings: Settings, setting: str, app: str, number: str) -> None:
    apps = getattr(settings, setting)
    moved = [name for name in apps if name != app] if app in apps else [*apps, app]
    setattr(settings, setting, moved)
    with pytest.raises(SystemCheckError, match=f"tenants.{number}"):
        call_command("check")


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgres://u:p%40ss@db.internal:5433/sidechart", "db.internal", 5433),
        ("postgresql://u:p%40ss@db.internal/sidechart", "db.internal", ""),
        ("postgresql://u@[::1]:5432/sidechart?sslmode=require", "::1", 5432),
        ("postgresql://u@%2Frun%2Fpostgresql/sidechart", "/run/postgresql", ""),
        ("postgresql:///sidechart?host=/run/postgresql", "/run/postgresql", ""),
    ],
)
def test_every_form_of_database_url_is_supported(url: str, host: str, port: object) -> None:
    database = production_with(database_url=url).database
    options = database.get("OPTIONS") or {}
    assert isinstance(options, dict)
    assert database["NAME"] == "sidechart"
    assert (database["HOST"] or options["host"], database["PORT"]) == (host, port)
    assert database["PASSWORD"] == ("p@ss" if "%40" in url else "")
    assert options.get("sslmode") == ("require" if "sslmode" in url else None)


@pytest.mark.parametrize(
    ("url", "transport", "virtual_host"),
    [
        ("redis://broker.internal:6379/3", "redis", "3"),
        ("rediss://broker.internal:6379/0?ssl_cert_reqs=required", "rediss", "0"),
        ("redis+socket:///run/valkey/valkey.sock?virtual_host=0", "redis", "/"),
        ("amqp://guest:guest@broker.internal:5672//", "amqp", "/"),
        ("amqps://sidechart:password@broker.internal/clinics", "amqps", "clinics"),
    ],
)
def test_every_form_of_broker_url_is_supported(url: str, transport: str, virtual_host: str) -> None:
    broker = kombu.Connection(production_with(celery_broker_url=url).celery_broker_url)
    assert (broker.transport_cls, broker.virtual_host) == (transport, virtual_host)


def test_submission_email_uses_tls_and_a_timeout() -> None:
    settings = production_settings()
    assert settings["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert (settings["EMAIL_HOST"], settings["EMAIL_PORT"]) == ("mail.internal", 587)
    assert (settings["EMAIL_USE_TLS"], settings["EMAIL_TIMEOUT"]) == (True, 10)
    assert settings["DEFAULT_FROM_EMAIL"] == "Sidechart <no-reply@sidechart.example>"


def test_production_uses_djangos_password_hashers() -> None:
    assert "PASSWORD_HASHERS" not in production_settings()


def production_with(**changes: str) -> Environment:
    """Return production's environment with these changes, independent of this process's."""
    return Environment.model_validate({name.lower(): value for name, value in PRODUCTION.items()} | changes)
