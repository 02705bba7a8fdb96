"""Delete everything about a clinic and certify it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone
from psycopg import sql

from audit.log import Actor
from exports import storage
from ops.errors import Refused
from ops.models import BreakGlassGrant, DailyStats, LaunchTotal
from ops.recovery.locks import clinic_lock
from sync.cliniko.errors import ClinikoError
from sync.connection.rate_limit import share_for
from sync.connection.state import load, stored_key
from tenants import schemas
from tenants.context import NoSuchClinic, enter_clinic
from tenants.dates import as_date
from tenants.models import Clinic, Domain, KeyBudget
from tenants.rate_limits import WINDOW

log = structlog.get_logger(__name__)
LOCK_TIMEOUT = "30s"  # longer than a worker's or a request's transaction


@dataclass(frozen=True)
class PurgeResult:
    """What was deleted, or would be in a dry run, with rows by table, and a sentence for the operator.

    The field names are the keys of the JSON output.
    """

    clinic: str
    state: str
    changed: bool
    certificate: dict[str, Any]
    sentence: str

    @property
    def is_done(self) -> bool:
        return "purged_at" in self.certificate


def purge(label: str, *, by: Actor, dry_run: bool = False) -> PurgeResult:
    """Delete everything about a suspended or closed clinic: schema, API key, sessions, files and statistics.

    Its row stays, with the certificate; its labels stay taken, and its host answers like an unknown one. Messages left
    in the broker do nothing without the schema. If interrupted, no one can sign in, and the next call finishes the
    work. A purged clinic returns its certificate again. Backups aren't changed. Raises NoSuchClinic and Refused.
    """
    clinic = Clinic.objects.filter(label=label).first()  # find_clinic would hide one that is purged or half purged
    if clinic is None:
        raise NoSuchClinic(f"There is no clinic {label!r}: see `manage.py clinic list`.")
    if clinic.purged_at:
        return _result(clinic, clinic.certificate or {}, changed=False)
    _require_stopped(clinic)
    if dry_run:
        return _result(clinic, {"rows": _count_rows(clinic.schema_name)}, changed=False)
    with clinic_lock(clinic):
        clinic.refresh_from_db()  # a restore that just finished has given it another schema
        _mark_purged(clinic)
        _delete_rate_limit(clinic)
        files = storage.delete_all(clinic.schema_name)  # before the certificate counts them
        try:
            certificate = _delete_everything(clinic, files, by=by)
        except OperationalError as failure:
            raise Refused(f"{label} is still in use. No one new can sign in: run it again.") from failure
        finally:
            storage.delete_all(clinic.schema_name)  # a running worker may have added one
    log.warning("clinic_purged", clinic=clinic.label, schema_name=clinic.schema_name)
    return _result(clinic, certificate, changed=True)


def _require_stopped(clinic: Clinic) -> None:
    if clinic.is_working:
        raise Refused(f"{clinic.label} is still working: run `clinic suspend`, or `clinic close` and wait for the day.")


def _mark_purged(clinic: Clinic) -> None:
    """Set the state that no other action accepts, so that a concurrent resume can't succeed afterwards."""
    with transaction.atomic():
        now = Clinic.objects.select_for_update().get(pk=clinic.pk)
        _require_stopped(now)
        changes = {"state": Clinic.State.PURGED, "closing_on": None, "state_since": timezone.now()}
        Clinic.objects.filter(pk=now.pk).exclude(state=Clinic.State.PURGED).update(**changes)


def _result(clinic: Clinic, certificate: dict[str, Any], *, changed: bool) -> PurgeResult:
    total = f"{sum(certificate['rows'].values())} rows in {len(certificate['rows'])} tables"
    state, sentence = clinic.state, f"{total} of {clinic.label} would be deleted."
    if "purged_at" in certificate:
        day = as_date(datetime.fromisoformat(certificate["purged_at"]))
        state = Clinic.State.PURGED
        sentence = f"{clinic.label} was purged on {day}: {total}, the API key and all files were deleted."
    return PurgeResult(clinic.label, state, changed, certificate, sentence)


def _delete_rate_limit(clinic: Clinic) -> None:
    """Delete the key's request count, unless used within the last minute: another clinic may have the same key."""
    try:
        with enter_clinic(clinic), transaction.atomic():
            fingerprint = share_for(stored_key(load()), "background").fingerprint
    except (ClinikoError, DatabaseError):  # no key, one that can't be decrypted, or broken tables
        return
    KeyBudget.objects.filter(fingerprint=fingerprint, used_at__lt=timezone.now() - WINDOW).delete()


def _delete_everything(clinic: Clinic, files: int, *, by: Actor) -> dict[str, Any]:
    """Drop the schemas, delete the rows in public and save the certificate, in one transaction.

    `files` is how many were deleted. Raises OperationalError when a lock isn't free within LOCK_TIMEOUT.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        clinic = Clinic.objects.select_for_update().get(pk=clinic.pk)
        if clinic.certificate:  # a concurrent purge finished first
            return dict(clinic.certificate)
        certificate = {
            "clinic": clinic.label,
            "name": clinic.name,
            "labels": sorted(Domain.objects.filter(tenant=clinic).values_list("domain", flat=True)),
            "schema": clinic.schema_name,
            "created_at": clinic.created_at.isoformat(timespec="seconds"),
            "purged_at": timezone.now().isoformat(timespec="seconds"),
            "purged_by": by.email,
            "rows": _count_rows(clinic.schema_name),
            "files": files,
            "access_log": {"checked_lines": clinic.audit_length, "digest_of_last": clinic.audit_head},
        }
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(clinic.schema_name)))
        for model in (DailyStats, LaunchTotal, BreakGlassGrant):
            model._default_manager.filter(clinic=clinic).delete()
        for name in (*schemas.former(clinic), *schemas.unfinished(clinic)):  # left by restores
            schemas.drop(name)
        Clinic.objects.filter(pk=clinic.pk).update(purged_at=timezone.now(), certificate=certificate)
    return certificate


def _count_rows(schema_name: str) -> dict[str, int]:
    """Return the number of rows by table; {} if the schema is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename", [schema_name])
        counts = {}
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema_name, table)))
            counts[table] = cursor.fetchone()[0]
    return counts
