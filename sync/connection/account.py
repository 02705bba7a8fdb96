"""What a Cliniko account says about itself: its name, where it is, its clock, and its word for a patient."""

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
ASKED_EVERY = timedelta(days=1)


@dataclass(frozen=True)
class Account:
    """What is not said is ""; `subdomain` also when it is no label. `time_zone` is zones.UNKNOWN then."""

    name: str
    subdomain: str
    time_zone: str
    patient_word: str


def parse_account(page: dict[str, Any]) -> Account:
    """The account in an answer to GET /settings/public."""
    # Name, subdomain and time zone stand in an object of their own, or at the top as older answers have them.
    own = page.get("account")
    account = own if isinstance(own, dict) else page
    terminology = page.get("terminology")
    word = text(terminology, "patient").lower() if isinstance(terminology, dict) else ""
    # It goes into links, so anything but a label counts as none.
    subdomain = text(account, "subdomain").lower()
    is_label = re.fullmatch(r"[a-z0-9][a-z0-9-]*", subdomain)
    return Account(
        name=text(account, "name"),
        subdomain=subdomain if is_label else "",
        time_zone=time_zones.zone_of(account),
        patient_word=word,
    )


def refresh_account(client: Cliniko, held: Connection) -> None:
    """Once a day take over what was changed in Cliniko since the key was entered. What it does not say any more stays.

    Raises what ends a turn: KeyInvalid, RateLimited, Unreachable.
    """
    asked_at = held.account_checked_at or held.connected_at
    if asked_at is None or timezone.now() - asked_at < ASKED_EVERY:
        return
    # Before the answer: an account that does not tell is asked tomorrow, and holds up one turn at the most.
    Connection.objects.filter(id=1).update(account_checked_at=timezone.now())
    try:
        told = parse_account(client.settings())
    except (KeyForbidden, RecordNotFound, RequestRefused, ServerError) as failure:
        log.warning("account_not_told", reason=type(failure).__name__)
        return
    said = {"account_name": told.name, "account_subdomain": told.subdomain, "patient_word": told.patient_word}
    if told.time_zone != time_zones.UNKNOWN:
        said["time_zone"] = told.time_zone
    with transaction.atomic():
        same_key = Connection.objects.filter(id=1, sealed_key=held.sealed_key)
        if same_key.update(**{field: value for field, value in said.items() if value}):
            registry.set_name(told.name)
