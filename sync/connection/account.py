"""A Cliniko account's public settings: name, subdomain, time zone, and word for a patient."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from sync.cliniko import time_zones
from sync.cliniko.client import Cliniko
from sync.cliniko.errors import KeyForbidden, RecordNotFound, RequestRefused, ServerError
from sync.cliniko.payloads import text
from sync.models import Connection
from tenants import registry

log = structlog.get_logger(__name__)
CHECK_INTERVAL = timedelta(days=1)


@dataclass(frozen=True)
class Account:
    """Missing values are "", as is a `subdomain` that isn't a DNS label; `time_zone` may be time_zones.UNKNOWN."""

    name: str
    subdomain: str
    time_zone: str
    patient_word: str


def parse_account(page: dict[str, Any]) -> Account:
    """Parse the response to GET /settings/public."""
    # Name, subdomain and time zone are in an object of their own; older responses have them at the top.
    nested = page.get("account")
    account = nested if isinstance(nested, dict) else page
    terminology = page.get("terminology")
    word = text(terminology, "patient").lower() if isinstance(terminology, dict) else ""
    subdomain = text(account, "subdomain").lower()
    is_label = re.fullmatch(r"[a-z0-9][a-z0-9-]*", subdomain)  # it goes into links
    return Account(
        name=text(account, "name"),
        subdomain=subdomain if is_label else "",
        time_zone=time_zones.iana_time_zone(account),
        patient_word=word,
    )


def refresh_account(client: Cliniko, connection: Connection) -> None:
    """Once a day, copy changed account settings from Cliniko. Values that Cliniko no longer gives stay as they are.

    Raises the errors that end a slice: KeyInvalid, RateLimited, Unreachable.
    """
    checked_at = connection.account_checked_at or connection.connected_at
    if checked_at is None or timezone.now() - checked_at < CHECK_INTERVAL:
        return
    # Saved before the response: an account that fails to answer is asked again tomorrow and delays one slice only.
    Connection.objects.filter(id=1).update(account_checked_at=timezone.now())
    try:
        account = parse_account(client.settings())
    except (KeyForbidden, RecordNotFound, RequestRefused, ServerError) as failure:
        log.warning("account_settings_unavailable", reason=type(failure).__name__)
        return
    values = {
        "account_name": account.name,
        "account_subdomain": account.subdomain,
        "patient_word": account.patient_word,
        "time_zone": "" if account.time_zone == time_zones.UNKNOWN else account.time_zone,
    }
    with transaction.atomic():
        same_key = Connection.objects.filter(id=1, sealed_key=connection.sealed_key)
        if same_key.update(**{field: value for field, value in values.items() if value}):
            registry.set_name(account.name)
