"""What the environment may say, read once and refused with a sentence when wrong."""

import os
import re
import secrets
import sys
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
_PRODUCT = re.compile(r"(?=.{1,100}\Z)[!-'*-~]+( [!-'*-~]+)*")  # goes into User-Agent, before "(contact address)"
_MAIL_SCHEMES = {"smtp", "submission", "console", "file", "memory", "dummy"}


class Environment(BaseSettings):
    """The variables of docs/configuration.md, typed. `.env` beside manage.py is read too; the environment wins."""

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
    export_directory: Path = Field(default_factory=lambda before: before["state_directory"] / "exports")
    backup_directory: Path | None = None

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, value: str) -> str:
        try:
            named = value.startswith(("postgres://", "postgresql://")) and dj_database_url.parse(value)["NAME"]
        except ValueError:  # its own text would quote the password
            named = None
        if not named:
            raise ValueError("must be a PostgreSQL address, like postgresql://user:password@host:5432/sidechart")
        return value

    @field_validator("celery_broker_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        schemes = ("redis://", "rediss://", "redis+socket://", "amqp://", "amqps://")
        if not value.startswith(schemes) or not _has_a_readable_port(value):
            raise ValueError("must be a Redis or RabbitMQ address, like redis://host:6379/0 or amqp://user@host//")
        return value

    @field_validator("base_domain")
    @classmethod
    def _domain(cls, value: str) -> str:
        if not _HOST.fullmatch(value):
            raise ValueError("must be a bare lower-case host name, like sidechart.example")
        return value

    @field_validator("cliniko_api_url")
    @classmethod
    def _api_url(cls, value: str) -> str:
        return _web_address(value, "{shard}")

    @field_validator("cliniko_web_url")
    @classmethod
    def _web_url(cls, value: str) -> str:
        return _web_address(value, "{shard}", "{subdomain}")

    @field_validator("email_url")
    @classmethod
    def _email_url(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        try:
            readable = scheme in _MAIL_SCHEMES and bool(dj_email_url.parse(value))
        except ValueError:
            readable = False
        if not readable or (scheme == "submission" and not rest):
            raise ValueError("must be a mail address, like submission://user:password@host:587")
        return value

    @field_validator("cliniko_app_name")
    @classmethod
    def _app_name(cls, value: str) -> str:
        if not _PRODUCT.fullmatch(value):
            raise ValueError("must be up to 100 ASCII letters, digits and signs without brackets: Cliniko reads it")
        return value

    @field_validator("default_from_email")
    @classmethod
    def _from_email(cls, value: str) -> str:
        if value and not (value.isprintable() and _ADDRESS.fullmatch(parseaddr(value)[1])):
            raise ValueError("must be a sender, like Sidechart <no-reply@sidechart.example>")
        return value

    @field_validator("state_directory")
    @classmethod
    def _directory(cls, value: Path) -> Path:
        if value != LOCAL and not value.is_dir():
            raise ValueError("must be a directory that is there and that beat may write to")
        return value

    @field_validator("export_directory")
    @classmethod
    def _shared_directory(cls, value: Path, info: ValidationInfo) -> Path:
        made_when_needed = info.data.get("state_directory", LOCAL) / "exports"
        if value != made_when_needed and not value.is_dir():
            raise ValueError("must be a directory that is there and that web and workers share")
        return value

    @field_validator("backup_directory")
    @classmethod
    def _backups(cls, value: Path | None) -> Path | None:
        if value and not value.is_dir():
            raise ValueError("must be a directory that is there and that whoever makes backups may write to")
        return value

    @model_validator(mode="before")
    @classmethod
    def _defaults_on_this_machine(cls, values: dict[str, object]) -> dict[str, object]:
        """On localhost the secrets are made once and kept in .local/, so that a fresh checkout just runs."""
        if values.get("base_domain", "localhost") != "localhost":
            return values
        filled = {"public_scheme": "http", "public_port": 8000, "cliniko_contact_email": "ops@sidechart.example"}
        for name in ("secret_key", "sealing_keys"):
            if not values.get(name):
                filled[name] = _local_secret(name)
        return filled | values

    @model_validator(mode="after")
    def _production_needs(self) -> "Environment":
        if len(self.secret_key) < 50:
            raise ValueError("SECRET_KEY must be set to at least 50 random characters")
        if not self.sealing_key_list or min(map(len, self.sealing_key_list)) < 32:
            raise ValueError(
                "SEALING_KEYS must hold one or more random keys of at least 32 characters, comma-separated"
            )
        if self.base_domain != "localhost" and self.debug:
            raise ValueError("DEBUG must be off outside localhost: its pages show patients to whoever meets an error")
        if self.base_domain != "localhost" and self.cliniko_api_url.startswith("http:"):
            raise ValueError("CLINIKO_API_URL must be https outside localhost: every request carries the clinic's key")
        if self.metrics_token and not re.fullmatch(r"[!-~]{16,200}", self.metrics_token):
            raise ValueError("METRICS_TOKEN must be 16 to 200 ASCII letters, digits and signs without blanks")
        if self.cliniko_requests_reserved > self.cliniko_requests_per_minute // 2:
            raise ValueError("CLINIKO_REQUESTS_RESERVED must leave the sync half of CLINIKO_REQUESTS_PER_MINUTE")
        if not _ADDRESS.fullmatch(self.cliniko_contact_email):
            raise ValueError("CLINIKO_CONTACT_EMAIL must be an e-mail address: Cliniko blocks clients without one")
        return self

    @property
    def sealing_key_list(self) -> list[str]:
        return [key.strip() for key in self.sealing_keys.split(",") if key.strip()]

    @property
    def database(self) -> dict[str, object]:
        """Django's DATABASES entry, with django-tenants' backend."""
        return dict(dj_database_url.parse(self.database_url, engine="django_tenants.postgresql_backend"))

    @property
    def email(self) -> dict[str, object]:
        """Django's EMAIL_* settings by name."""
        found = dict(dj_email_url.parse(self.email_url))
        if found["EMAIL_BACKEND"] == "django.core.mail.backends.console.EmailBackend":
            found["EMAIL_BACKEND"] = "saas.mail.StandardErrorBackend"
        return found


def _has_a_readable_port(address: str) -> bool:
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def _web_address(value: str, *places: str) -> str:
    plain = value
    for place in places:
        plain = plain.replace(place, "au1")
    if not re.fullmatch(r"https?://[^\s?#{}]+", plain):
        raise ValueError(f"must be a web address; {' and '.join(places)} in it stand for the clinic's own")
    return value.rstrip("/")


def _local_secret(name: str) -> str:
    """The secret kept in .local/, made by whichever process asks first."""
    path = LOCAL / "secrets" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mine = path.with_suffix(f".{os.getpid()}")
    if not path.exists():
        mine.touch(mode=0o600)
        mine.write_text(secrets.token_urlsafe(48))
        try:
            os.link(mine, path)  # fails when another process was first: its secret is the one
        except FileExistsError:
            mine.unlink()
        mine.unlink(missing_ok=True)
    return path.read_text()


def read_environment() -> Environment:
    """The environment; exits with status 1 and one sentence on standard error when something in it is wrong."""
    try:
        return Environment()
    except ValidationError as refused:
        first = refused.errors(include_url=False, include_input=False)[0]
        variable = "_".join(str(part) for part in first["loc"]).upper()
        reason = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        sys.exit(f"{variable} {reason}." if variable else f"{reason}.")
