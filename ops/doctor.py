"""How a clinic is: a list of findings, each with a light and a sentence for ops. Nothing of a patient, and no key."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import get_connection
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from audit import watch
from audit.log import Action
from audit.models import Event
from ops import dns_tls
from sync.cliniko import time_zones
from sync.cliniko.errors import ClinikoError
from sync.connection import state as cliniko_connection
from sync.models import Business, RefusedPayload
from sync.read import status
from tenants.context import enter_clinic, find_clinic
from tenants.hosts import clinic_url
from tenants.models import Clinic, Domain
from tenants.signals import launch_totals

LATE, TOO_LATE = timedelta(minutes=10), timedelta(hours=1)
QUIET = timedelta(days=14)
CLOCKS_DIFFER, CLOCKS_FAR_APART = timedelta(seconds=2), timedelta(seconds=30)
SMTP = "django.core.mail.backends.smtp.EmailBackend"


class Light(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    light: Light
    sentence: str


Answer = tuple[Light, str]


def examine(label: str, *, dry_run: bool = False) -> list[Finding]:
    """Look at everything that a clinic needs. What is in its schema is looked at only when its tables are up to date.
    How its log was found is noted on public, but for a dry run. Raises NoSuchClinic."""
    return [Finding(check, *answer) for check, answer in _answers(find_clinic(label), dry_run)]


def _answers(clinic: Clinic, dry_run: bool) -> Iterator[tuple[str, Answer]]:
    yield "address", _address(clinic)
    yield "dns", _dns(clinic)
    yield "certificate", _certificate(clinic)
    migrations = _inside(clinic, _migrations)
    yield "migrations", migrations
    if migrations[0] is Light.OK:
        yield "key", _inside(clinic, _key)
        yield "time zone", _inside(clinic, _time_zone)
        resting = Light.WARN, f"It rests while the clinic is {clinic.state_word}."
        yield "sync", _inside(clinic, _sync) if clinic.is_working else resting
        yield "lists", _inside(clinic, _lists)
        yield "last launch", _inside(clinic, _last_launch)
        yield "access log", _access_log(clinic, dry_run)
    yield "mail", _mail()
    yield "clock", _clock()


def _inside(clinic: Clinic, ask: Callable[[], Answer]) -> Answer:
    with enter_clinic(clinic):
        return ask()


def _address(clinic: Clinic) -> Answer:
    if not Domain.objects.filter(tenant=clinic, domain=clinic.label, is_primary=True).exists():
        return Light.FAIL, f"No domain {clinic.label!r} leads to this clinic."
    if not clinic.is_working:
        return Light.WARN, f"{clinic_url(clinic.label)} belongs to a clinic that is {clinic.state_word}."
    return Light.OK, f"{clinic_url(clinic.label)} leads here."


def _dns(clinic: Clinic) -> Answer:
    host, _ = dns_tls.host_and_port(clinic.label)
    if dns_tls.is_on_this_machine():
        return Light.OK, f"{host} is this machine to browsers: not looked up."
    try:
        return Light.OK, f"{host} is {', '.join(dns_tls.resolves_to(clinic.label))}."
    except OSError:
        return Light.FAIL, f"{host} is not in DNS: point *.{settings.BASE_DOMAIN} at this server."


def _certificate(clinic: Clinic) -> Answer:
    host, port = dns_tls.host_and_port(clinic.label)
    if not settings.HTTPS:
        return (Light.OK if dns_tls.is_on_this_machine() else Light.FAIL), "There is none: PUBLIC_SCHEME is http."
    try:
        days = dns_tls.certificate_days_left(clinic.label)
    except ssl.SSLCertVerificationError as wrong:
        return Light.FAIL, f"Browsers refuse the certificate of {host}: {wrong.verify_message.rstrip('.')}."
    except OSError as failure:
        return Light.FAIL, f"{host} does not speak https at port {port} ({type(failure).__name__})."
    light = Light.FAIL if days < dns_tls.DAYS_LEFT_FAIL else Light.WARN if days < dns_tls.DAYS_LEFT_WARN else Light.OK
    return light, f"Good for {days} more days."


def _migrations() -> Answer:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        return Light.FAIL, f"{missing} not applied to this clinic's tables: run `manage.py migrate`."
    return Light.OK, "All are applied."


def _key() -> Answer:
    held = cliniko_connection.load()
    now = status.current()
    if now.key_sentence:
        return Light.FAIL, now.key_sentence
    try:
        cliniko_connection.stored_key(held)
    except ClinikoError as unusable:
        return Light.FAIL, str(unusable)
    if now.state == status.State.PAUSED:
        return Light.WARN, now.sentence
    whose = held.key_user_name or "an unnamed user"
    return Light.OK, f"…{held.key_last4} of {whose} opens, and Cliniko has not refused it."


def _time_zone() -> Answer:
    held = cliniko_connection.load()
    if held.connected_at is None:
        return Light.WARN, "Not known before the first key: times are shown in UTC."
    if held.time_zone == time_zones.UNKNOWN:
        return Light.WARN, "Cliniko named none that is known: times are shown in UTC. It is asked again once a day."
    elsewhere = _clocks_of_locations() - {held.time_zone}
    if elsewhere:
        others = ", ".join(sorted(elsewhere))
        return Light.WARN, f"{held.time_zone}; appointments at locations in {others} are shown by that clock, too."
    return Light.OK, f"{held.time_zone}, as Cliniko says."


def _clocks_of_locations() -> set[str]:
    payloads = Business.objects.filter(deleted_at=None, archived_at=None).values_list("payload", flat=True)
    return {time_zones.zone_of(payload) for payload in payloads} - {time_zones.UNKNOWN}


def _sync() -> Answer:
    now = status.current()
    if now.checked_at is None:
        return Light.WARN, now.sentence or "The first copy is not finished."
    lag = timezone.now() - now.checked_at
    light = Light.FAIL if lag > TOO_LATE else Light.WARN if lag > LATE or now.sentence else Light.OK
    return light, f"Patients are as of {_ago(now.checked_at)}. {now.sentence}".strip()


def _lists() -> Answer:
    lists = status.by_resource()
    refused = [each.label for each in lists if each.refused]
    unasked = [each.label for each in lists if not each.refused and each.checked_at is None]
    unread = RefusedPayload.objects.count()
    troubles = [f"Cliniko refuses {', '.join(refused)}."] if refused else []
    troubles += [f"Not read yet: {', '.join(unasked)}."] if unasked else []
    troubles += [f"{unread} records could not be read: `clinic show` says why."] if unread else []
    if troubles:
        return Light.WARN, " ".join(troubles)
    return Light.OK, f"Cliniko gives all of them: {', '.join(each.label for each in lists)}."


def _last_launch() -> Answer:
    latest = launch_totals().latest_at
    if latest is None:
        opened = Event.objects.filter(action=Action.VIEWED).exists()
        how = "Patients are opened from the search alone" if opened else "Nobody has opened a patient yet"
        return Light.WARN, f"{how}: is the button set up in Cliniko?"
    quiet = timezone.now() - latest > QUIET
    return (Light.WARN if quiet else Light.OK), f"The button in Cliniko was last clicked {_ago(latest)}."


def _access_log(clinic: Clinic, dry_run: bool) -> Answer:
    chain = watch.verify(clinic) if dry_run else watch.verify_and_record(clinic)
    if chain.broken_at is not None:
        return Light.FAIL, f"Line {chain.broken_at} is not as it was written, or is missing."
    return Light.OK, f"{chain.length} lines, as they were written."


def _mail() -> Answer:
    if settings.EMAIL_BACKEND != SMTP:
        return Light.WARN, "Mails are not sent: EMAIL_URL names no mail server."
    try:
        with get_connection():
            return Light.OK, f"{settings.EMAIL_HOST} takes mails from {settings.DEFAULT_FROM_EMAIL}."
    except (OSError, SMTPException) as failure:
        return Light.FAIL, f"{settings.EMAIL_HOST} takes no mails ({type(failure).__name__}): see EMAIL_URL."


def _clock() -> Answer:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (theirs,) = cursor.fetchone()
    apart = abs(timezone.now() - theirs)
    light = Light.FAIL if apart > CLOCKS_FAR_APART else Light.WARN if apart > CLOCKS_DIFFER else Light.OK
    return light, f"The database's clock and ours are {apart.total_seconds():.1f} s apart."


def _ago(moment: datetime) -> str:
    minutes = int((timezone.now() - moment).total_seconds()) // 60
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
