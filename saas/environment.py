"""Typed environment variables. A wrong value stops the start with one sentence."""

import os
import re
import secrets
import sys
from contextlib import suppress
from email.utils import parseaddr
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import dj_database_url
import dj_email_url
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from embedded.services import broker_url, postgres_url

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"

_HOST = re.compile(r"(?=.{1,200}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ADDRESS = re.compile(r"[!-'*-?A-~]+@[!-'*-?A-~]+\.[!-'*-?A-~]+")
_PRODUCT = re.compile(r"(?=.{1,100}\Z)[!-'*-~]+( [!-'*-~]+)*")  # precedes "(contact email)" in the User-Agent
_DIRECTORY_USERS = {
    "state_directory": "beat can write to",
    "export_directory": "web and workers share",
    "backup_directory": "the backup command can write to",
}
_EMAIL_SCHEMES = {"smtp", "submission", "console", "file", "memory", "dummy"}


class Environment(BaseSettings):
    """The variables of docs/configuration.md, read from the environment and then from `.env` next to manage.py."""

    model_config = SettingsConfigDict(env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: str = Field(default_factory=lambda: postgres_url(ROOT))
    celery_broker_url: str = Field(default_factory=lambda: broker_url(ROOT))
    base_domain: str = "localhost"
    public_scheme: Literal["http", "https"] = "https"
    public_port: int | None = Field(default=None, ge=1, le=65535)
    secret_key: str = ""
    sealing_keys: str = ""
    cliniko_api_url: str = "https://api.{shard}.cliniko.com/v1"
    cliniko_web_url: str = "https://{subdomain}.{shard}.cliniko.com"
    cliniko_app_name: str = "Sidechart"
    cliniko_contact_email: str = ""
    cliniko_requests_per_minute: int = Field(default=200, ge=10, le=10_000_000)
    cliniko_requests_reserved: int = Field(default=60, ge=0)
    email_url: str = "console://"
    default_from_email: str = ""
    metrics_token: str = ""
    debug: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    sync_interval_seconds: int = Field(default=60, ge=1, le=3600)
    state_directory: Path = LOCAL
    export_directory: Path = Field(default_factory=lambda data: data["state_directory"] / "exports")
    backup_directory: Path | None = None

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        try:
            name = value.startswith(("postgres://", "postgresql://")) and dj_database_url.parse(value)["NAME"]
        except ValueError:  # its message would quote the password
            name = None
        if not name:
            raise ValueError("must be a PostgreSQL URL, like postgresql://user:password@host:5432/sidechart")
        return value

    @field_validator("celery_broker_url")
    @classmethod
    def _check_broker_url(cls, value: str) -> str:
        schemes = ("redis://", "rediss://", "redis+socket://", "amqp://", "amqps://")
        if not value.startswith(schemes) or not _has_valid_port(value):
            raise ValueError("must be a Redis or RabbitMQ URL, like redis://host:6379/0 or amqp://user@host//")
        return value

    @field_validator("base_domain")
    @classmethod
    def _check_base_domain(cls, value: str) -> str:
        if not _HOST.fullmatch(value):
            raise ValueError("must be a lowercase host name without scheme or port, like sidechart.example")
        return value

    @field_validator("cliniko_api_url", "cliniko_web_url")
    @classmethod
    def _check_cliniko_url(cls, value: str, info: ValidationInfo) -> str:
        placeholders = ["{shard}"] if info.field_name == "cliniko_api_url" else ["{shard}", "{subdomain}"]
        plain = value
        for placeholder in placeholders:
            plain = plain.replace(placeholder, "au1")
        if not re.fullmatch(r"https?://[^\s?#{}]+", plain):
            raise ValueError(f"must be an http or https URL; its only placeholders can be {' and '.join(placeholders)}")
        return value.rstrip("/")

    @field_validator("email_url")
    @classmethod
    def _check_email_url(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        try:
            valid = scheme in _EMAIL_SCHEMES and bool(dj_email_url.parse(value))
        except ValueError:
            valid = False
        if not valid or (scheme == "submission" and not rest):
            raise ValueError("must be a mail server URL, like submission://user:password@host:587")
        return value

    @field_validator("cliniko_app_name")
    @classmethod
    def _check_app_name(cls, value: str) -> str:
        if not _PRODUCT.fullmatch(value):
            raise ValueError("must be 1 to 100 ASCII letters, digits or symbols without brackets, for the User-Agent")
        return value

    @field_validator("default_from_email")
    @classmethod
    def _check_from_email(cls, value: str) -> str:
        if value and not (value.isprintable() and _ADDRESS.fullmatch(parseaddr(value)[1])):
            raise ValueError(
                "must be an email address with or without a name, like Sidechart <no-reply@sidechart.example>"
            )
        return value

    @field_validator("state_directory", "export_directory", "backup_directory")
    @classmethod
    def _check_directory(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        created = {"state_directory": LOCAL, "export_directory": info.data.get("state_directory", LOCAL) / "exports"}
        if value and value != created.get(str(info.field_name)) and not value.is_dir():
            raise ValueError(f"must be an existing directory that {_DIRECTORY_USERS[str(info.field_name)]}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _fill_localhost_defaults(cls, values: dict[str, object]) -> dict[str, object]:
        """On localhost, generate the secrets once and store them in .local/, so that a fresh checkout runs."""
        if values.get("base_domain", "localhost") != "localhost":
            return values
        defaults = {"public_scheme": "http", "public_port": 8000, "cliniko_contact_email": "ops@sidechart.example"}
        for name in ("secret_key", "sealing_keys"):
            if not values.get(name):
                defaults[name] = _local_secret(name)
        return defaults | values

    @model_validator(mode="after")
    def _check_combinations(self) -> "Environment":
        if len(self.secret_key) < 50:
            raise ValueError("SECRET_KEY must be at least 50 random characters")
        if not self.sealing_key_list or min(map(len, self.sealing_key_list)) < 32:
            raise ValueError(
                "SEALING_KEYS must be one or more random keys of at least 32 characters, separated by commas"
            )
        if self.base_domain != "localhost" and self.debug:
            raise ValueError("DEBUG must be off outside localhost, because its error pages show patients")
        if self.base_domain != "localhost" and self.cliniko_api_url.startswith("http:"):
            raise ValueError("CLINIKO_API_URL must be https outside localhost, because requests carry an API key")
        if self.metrics_token and not re.fullmatch(r"[!-~]{16,200}", self.metrics_token):
            raise ValueError("METRICS_TOKEN must be 16 to 200 ASCII letters, digits or symbols without spaces")
        if self.cliniko_requests_reserved > self.cliniko_requests_per_minute // 2:
            raise ValueError("CLINIKO_REQUESTS_RESERVED must be at most half of CLINIKO_REQUESTS_PER_MINUTE")
        if not _ADDRESS.fullmatch(self.cliniko_contact_email):
            raise ValueError("CLINIKO_CONTACT_EMAIL must be an email address: Cliniko blocks clients without one")
        return self

    @property
    def sealing_key_list(self) -> list[str]:
        return [key.strip() for key in self.sealing_keys.split(",") if key.strip()]

    @property
    def database(self) -> dict[str, object]:
        """Return Django's DATABASES entry, with django-tenants' backend."""
        return dict(dj_database_url.parse(self.database_url, engine="django_tenants.postgresql_backend"))

    @property
    def email(self) -> dict[str, object]:
        """Return Django's EMAIL_* settings by name."""
        email = dict(dj_email_url.parse(self.email_url))
        if email["EMAIL_BACKEND"] == "django.core.mail.backends.console.EmailBackend":
            email["EMAIL_BACKEND"] = "saas.mail.StandardErrorBackend"
        return email


def _has_valid_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _local_secret(name: str) -> str:
    """Return the secret stored in .local/. The first process to need it generates it."""
    path = LOCAL / "secrets" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        with suppress(FileExistsError):  # another process was first
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


def read_environment() -> Environment:
    """Return the environment. Exits with status 1 and one sentence on standard error if a value is wrong."""
    try:
        return Environment()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        variable = "_".join(str(part) for part in first["loc"]).upper()
        reason = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        reason = reason.partition(", unable to")[0]  # pydantic adds how it failed to parse the value
        sys.exit(f"{variable} {reason}." if variable else f"{reason}.")
