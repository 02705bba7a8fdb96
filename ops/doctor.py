"""Check everything a clinic needs. No patient data and no API key in the output."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.conf import settings
from django.core.mail import get_connection
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from audit import verification
from audit.log import Action
from audit.models import Event
from ops import dns_tls
from sync.cliniko import time_zones
from sync.cliniko.errors import ClinikoError
from sync.connection import state as cliniko_connection
from sync.models import Business, RefusedPayload
from sync.read import status
from tenants.context import enter_clinic, find_clinic
from tenants.dates import ago
from tenants.hosts import clinic_url
from tenants.models import Clinic, Domain
from tenants.signals import launch_totals

LAG_WARN, LAG_FAIL = timedelta(minutes=10), timedelta(hours=1)
LAUNCH_WARN = timedelta(days=14)
CLOCK_WARN, CLOCK_FAIL = timedelta(seconds=2), timedelta(seconds=30)
SMTP = "django.core.mail.backends.smtp.EmailBackend"


class CheckStatus(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """The result of one check. The field names are the keys of the JSON output."""

    check: str
    light: CheckStatus
    sentence: str


Result = tuple[CheckStatus, str]


def examine(label: str, *, dry_run: bool = False) -> list[Finding]:
    """Run every check. Those inside the clinic's schema are skipped if its migrations are behind.

    The access log's verified length is saved, except in a dry run. Raises NoSuchClinic.
    """
    return [Finding(check, *result) for check, result in _run_checks(find_clinic(label), dry_run)]


def _run_checks(clinic: Clinic, dry_run: bool) -> Iterator[tuple[str, Result]]:
    def inside(check: Callable[[], Result]) -> Result:
        with enter_clinic(clinic):
            return check()

    yield "address", check_address(clinic)
    yield "dns", check_dns(clinic)
    yield "certificate", check_certificate(clinic)
    migrations = inside(check_migrations)
    yield "migrations", migrations
    if migrations[0] is CheckStatus.OK:
        yield "key", inside(check_key)
        yield "time zone", inside(check_time_zone)
        stopped = CheckStatus.WARN, f"Not syncing: the clinic is {clinic.display_state}."
        yield "sync", inside(check_sync) if clinic.is_working else stopped
        yield "lists", inside(check_lists)
        yield "last launch", inside(check_last_launch)
        yield "access log", check_access_log(clinic, dry_run)
    yield "mail", check_mail()
    yield "clock", check_clock()


def _status(*, fail: bool = False, warn: bool = False) -> CheckStatus:
    return CheckStatus.FAIL if fail else CheckStatus.WARN if warn else CheckStatus.OK


def check_address(clinic: Clinic) -> Result:
    url = clinic_url(clinic.label)
    if not Domain.objects.filter(tenant=clinic, domain=clinic.label, is_primary=True).exists():
        return CheckStatus.FAIL, f"This clinic has no domain {clinic.label!r}."
    if not clinic.is_working:
        return CheckStatus.WARN, f"{url} belongs to this clinic, which is {clinic.display_state}."
    return CheckStatus.OK, f"{url} belongs to this clinic."


def check_dns(clinic: Clinic) -> Result:
    host, _ = dns_tls.host_and_port(clinic.label)
    if dns_tls.is_local():
        return CheckStatus.OK, f"{host} is this machine, without DNS."
    try:
        return CheckStatus.OK, f"{host} resolves to {', '.join(dns_tls.resolve(clinic.label))}."
    except OSError:
        return CheckStatus.FAIL, f"{host} isn't in DNS: point *.{settings.BASE_DOMAIN} at this server."


def check_certificate(clinic: Clinic) -> Result:
    host, port = dns_tls.host_and_port(clinic.label)
    if not settings.HTTPS:
        return _status(fail=not dns_tls.is_local()), "No certificate: PUBLIC_SCHEME is http."
    try:
        days = dns_tls.certificate_days_left(clinic.label)
    except ssl.SSLCertVerificationError as invalid:
        return CheckStatus.FAIL, f"Browsers reject the certificate of {host}: {invalid.verify_message.rstrip('.')}."
    except OSError as failure:
        return CheckStatus.FAIL, f"{host} doesn't answer HTTPS on port {port} ({type(failure).__name__})."
    return _status(fail=days < dns_tls.DAYS_FAIL, warn=days < dns_tls.DAYS_WARN), f"Expires in {days} days."


def check_migrations() -> Result:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        return CheckStatus.FAIL, f"{missing} not applied to this clinic's tables: run `manage.py migrate`."
    return CheckStatus.OK, "All applied."


def check_key() -> Result:
    stored = cliniko_connection.load()
    now = status.current()
    if now.key_sentence:
        return CheckStatus.FAIL, now.key_sentence
    try:
        cliniko_connection.stored_key(stored)
    except ClinikoError as unusable:
        return CheckStatus.FAIL, str(unusable)
    if now.state == status.State.PAUSED:
        return CheckStatus.WARN, now.sentence
    user = stored.key_user_name or "an unnamed user"
    return CheckStatus.OK, f"Key …{stored.key_last4} of {user} can be decrypted, and Cliniko accepts it."


def check_time_zone() -> Result:
    stored = cliniko_connection.load()
    if stored.connected_at is None:
        return CheckStatus.WARN, "Unknown until Cliniko is connected: times are in UTC."
    if stored.time_zone == time_zones.UNKNOWN:
        return CheckStatus.WARN, "Cliniko's time zone isn't recognised: times are in UTC. Checked again daily."
    payloads = Business.objects.filter(deleted_at=None, archived_at=None).values_list("payload", flat=True)
    others = {time_zones.iana_time_zone(payload) for payload in payloads} - {time_zones.UNKNOWN, stored.time_zone}
    if others:
        named = ", ".join(sorted(others))
        return CheckStatus.WARN, f"{stored.time_zone}. Appointments at locations in {named} are shown in it too."
    return CheckStatus.OK, f"{stored.time_zone}, from Cliniko."


def check_sync() -> Result:
    now = status.current()
    if now.checked_at is None:
        return CheckStatus.WARN, now.sentence or "The first import isn't finished."
    lag = timezone.now() - now.checked_at
    result = _status(fail=lag > LAG_FAIL, warn=lag > LAG_WARN or bool(now.sentence))
    return result, f"Patients last synced {ago(now.checked_at)}. {now.sentence}".strip()


def check_lists() -> Result:
    lists = status.by_resource()
    refused = [each.label for each in lists if each.refused]
    pending = [each.label for each in lists if not each.refused and each.checked_at is None]
    unreadable = RefusedPayload.objects.count()
    problems = [f"Cliniko refuses {', '.join(refused)}."] if refused else []
    problems += [f"Not read yet: {', '.join(pending)}."] if pending else []
    problems += [f"{unreadable} unreadable records: see `clinic show`."] if unreadable else []
    if problems:
        return CheckStatus.WARN, " ".join(problems)
    return CheckStatus.OK, f"Cliniko gives access to {', '.join(each.label for each in lists)}."


def check_last_launch() -> Result:
    latest = launch_totals().latest_at
    if latest is None:
        viewed = Event.objects.filter(action=Action.VIEWED).exists()
        use = "Patients are opened from search only" if viewed else "No one has opened a patient yet"
        return CheckStatus.WARN, f"{use}: is the button set up in Cliniko?"
    return _status(warn=timezone.now() - latest > LAUNCH_WARN), f"The button in Cliniko was last clicked {ago(latest)}."


def check_access_log(clinic: Clinic, dry_run: bool) -> Result:
    chain = verification.verify(clinic) if dry_run else verification.verify_and_record(clinic)
    if chain.broken_at is not None:
        return CheckStatus.FAIL, f"Entry {chain.broken_at} was changed or removed."
    return CheckStatus.OK, f"{chain.length} entries, unchanged."


def check_mail() -> Result:
    if settings.EMAIL_BACKEND != SMTP:
        return CheckStatus.WARN, "Emails aren't sent: EMAIL_URL doesn't name a mail server."
    try:
        with get_connection():
            return CheckStatus.OK, f"{settings.EMAIL_HOST} accepts mail from {settings.DEFAULT_FROM_EMAIL}."
    except OSError as failure:
        return CheckStatus.FAIL, f"{settings.EMAIL_HOST} doesn't accept mail ({type(failure).__name__}): see EMAIL_URL."


def check_clock() -> Result:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (database_now,) = cursor.fetchone()
    difference = abs(timezone.now() - database_now)
    result = _status(fail=difference > CLOCK_FAIL, warn=difference > CLOCK_WARN)
    return result, f"The database's clock differs from ours by {difference.total_seconds():.1f} s."
