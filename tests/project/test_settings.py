"""The environment: refused with a sentence when wrong, documented to the last variable, safe when right."""

import re

import kombu
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from saas.environment import Environment, read_environment
from tests.project.production import PRODUCTION, ROOT, production_settings, run_python

VARIABLES = {name.upper() for name in Environment.model_fields}
PAGE = (ROOT / "docs" / "configuration.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
OF_COMPOSE = {"POSTGRES_PASSWORD", "WEB_PORT"}

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


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """What the start says on refusing production with these changes."""
    for name in VARIABLES:
        monkeypatch.setenv(name, (PRODUCTION | environment).get(name, ""))
    with pytest.raises(SystemExit) as stopped:
        read_environment()
    return str(stopped.value.code)


def test_every_variable_is_tried_with_a_wrong_value() -> None:
    assert set(WRONG) == VARIABLES


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_with_a_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    said = refusal(monkeypatch, **{name: value})
    assert re.fullmatch(rf"{name} must [^\n]*\.", said)
    assert "opensesame" not in said


@pytest.mark.parametrize("name", ["DATABASE_URL", "EMAIL_URL", "SECRET_KEY"])
def test_a_wrong_value_stops_a_command_with_that_sentence_alone(name: str) -> None:
    run = run_python("manage.py", "check", **{name: WRONG[name][-1]})
    assert (run.returncode, run.stdout) == (1, "")
    assert re.fullmatch(rf"{name} must [^\n]*\.\n", run.stderr)


def test_production_settings_pass_the_deployment_checks() -> None:
    run = run_python("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert run.returncode == 0, run.stderr
    assert "no issues (0 silenced)" in run.stdout + run.stderr


def test_settings_for_one_machine_do_not_pass_the_deployment_checks() -> None:
    run = run_python("manage.py", "check", "--deploy", "--fail-level", "WARNING", PUBLIC_SCHEME="http")
    assert run.returncode == 1
    assert "security.W" in run.stderr


@pytest.mark.parametrize("words", [("--settings", "no_such_settings"), ("--settings=no_such_settings",)])
def test_a_command_takes_the_settings_that_it_is_given(words: tuple[str, ...]) -> None:
    run = run_python("manage.py", "check", *words)
    assert run.returncode == 1
    assert "No module named 'no_such_settings'" in run.stderr


def test_the_page_documents_every_variable_and_no_other() -> None:
    assert documented(PAGE) == VARIABLES | OF_COMPOSE


def test_every_row_of_the_page_is_filled_in() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)


def test_the_example_names_every_variable_and_no_other() -> None:
    assert set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == VARIABLES | OF_COMPOSE


def test_the_example_holds_no_secret_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert {name for name, value in filled.items() if value} == {"BASE_DOMAIN"}
    mine = {name: value for name, value in filled.items() if name in VARIABLES}
    assert refusal(monkeypatch, **dict.fromkeys(PRODUCTION, "") | mine).startswith("SECRET_KEY must be set")


def test_the_examples_own_values_are_the_defaults_or_valid() -> None:
    commented = dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    of_this_machine = OF_COMPOSE | {"STATE_DIRECTORY", "EXPORT_DIRECTORY", "BACKUP_DIRECTORY"}
    example = read(
        **{name.lower(): value for name, value in commented.items() if value and name not in of_this_machine}
    )
    for name in ("cliniko_api_url", "cliniko_app_name", "sync_interval_seconds", "log_level", "debug", "public_scheme"):
        assert getattr(example, name) == Environment.model_fields[name].default


@pytest.mark.parametrize(
    "setting",
    ["TENANT_LIMIT_SET_CALLS", "SHOW_PUBLIC_IF_NO_TENANT_FOUND", "PG_EXTRA_SEARCH_PATHS", "TENANT_BASE_SCHEMA"],
)
def test_a_setting_that_opens_a_side_door_stops_the_start(settings: Settings, setting: str) -> None:
    setattr(settings, setting, ["somewhere"])
    with pytest.raises(SystemCheckError, match=f"tenants.E00.*{setting} must stay unset"):
        call_command("check")


@pytest.mark.parametrize(
    ("setting", "app", "number"),
    [
        ("SHARED_APPS", "sync", "E010"),
        ("SHARED_APPS", "launch", "E010"),
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
def test_every_form_of_a_database_address_is_understood(url: str, host: str, port: object) -> None:
    database = read(database_url=url).database
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
def test_every_form_of_a_broker_address_is_understood(url: str, transport: str, virtual_host: str) -> None:
    broker = kombu.Connection(read(celery_broker_url=url).celery_broker_url)
    assert (broker.transport_cls, broker.virtual_host) == (transport, virtual_host)


def test_mail_over_submission_is_encrypted_and_never_waits_for_ever() -> None:
    settings = production_settings()
    assert settings["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert (settings["EMAIL_HOST"], settings["EMAIL_PORT"]) == ("mail.internal", 587)
    assert (settings["EMAIL_USE_TLS"], settings["EMAIL_TIMEOUT"]) == (True, 10)
    assert settings["DEFAULT_FROM_EMAIL"] == "Sidechart <no-reply@sidechart.example>"


def test_passwords_are_hashed_slowly_in_production() -> None:
    assert "PASSWORD_HASHERS" not in production_settings()  # Django's own list


def read(**changed: str) -> Environment:
    """Production's environment with these changes, whatever this process was started with."""
    return Environment.model_validate({name.lower(): value for name, value in PRODUCTION.items()} | changed)
