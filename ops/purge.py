"""The end of a clinic: everything that is held of it goes, and a certificate says what went."""

from dataclasses import dataclass
from typing import Any

import structlog
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone
from psycopg import sql

import exports
from audit.log import Actor
from ops.models import BreakGlassGrant, DailyStats, LaunchTotal
from ops.onboarding import Refused
from ops.recovery.locks import alone
from sync.cliniko.errors import ClinikoError
from sync.connection.rate_limit import share_for
from sync.connection.state import load, stored_key
from tenants import schemas
from tenants.context import NoSuchClinic, enter_clinic
from tenants.models import Clinic, Domain, KeyBudget
from tenants.rate_limits import WINDOW

log = structlog.get_logger(__name__)
WAIT_FOR_LOCKS = "30s"  # what a worker or a page is still about ends before


@dataclass(frozen=True)
class Purge:
    """What was, or for a dry run would be, removed: rows by table. `sentence` is for ops."""

    clinic: str
    state: str
    changed: bool
    certificate: dict[str, Any]
    sentence: str

    @property
    def is_done(self) -> bool:
        return "purged_at" in self.certificate


def purge(label: str, *, by: Actor, dry_run: bool = False) -> Purge:
    """Remove all that is held of a clinic that is suspended, or closing and past its day: schema, key, sessions, files,
    and statistics. Messages left in the broker do nothing: their schema is gone.

    Its row stays as the certificate, its labels stay taken, and its host answers like an unknown one. Killed at any
    moment it leaves a clinic that nobody gets into, and the next call ends the work; one that is purged already answers
    with its certificate. Backups keep what they hold until they are deleted. Raises NoSuchClinic, Refused.
    """
    clinic = _find(label)
    if clinic.purged_at:
        return _answer(clinic, clinic.certificate or {}, changed=False)
    _require_rest(clinic)
    if dry_run:
        return _answer(clinic, {"rows": _rows(clinic.schema_name)}, changed=False)
    with alone(clinic):
        clinic.refresh_from_db()  # a restore that was under way has given it another schema
        _shut_the_doors(clinic)
        _forget_budget(clinic)
        files = exports.remove_all(clinic.schema_name)  # before the certificate is written
        try:
            certificate = _remove(clinic, files, by=by)
        except OperationalError as waited:
            raise Refused(f"Somebody is still at work at {label}, and nobody new gets in: run it again.") from waited
        finally:
            exports.remove_all(clinic.schema_name)  # a running worker may have added one
    log.warning("clinic_purged", clinic=clinic.label, schema_name=clinic.schema_name)
    return _answer(clinic, certificate, changed=True)


def _require_rest(clinic: Clinic) -> None:
    if clinic.is_working:
        raise Refused(f"{clinic.label} still works: `clinic suspend` it, or `clinic close` it and wait for the day.")


def _shut_the_doors(clinic: Clinic) -> None:
    """From here on it is not to be resumed, whoever tries at the same moment."""
    with transaction.atomic():
        now = Clinic.objects.select_for_update().get(pk=clinic.pk)
        _require_rest(now)
        shut = {"state": Clinic.State.PURGED, "closing_on": None, "state_since": timezone.now()}
        Clinic.objects.filter(pk=now.pk).exclude(state=Clinic.State.PURGED).update(**shut)


def _find(label: str) -> Clinic:
    """Also one whose purge was killed, or is done, which nobody else finds."""
    clinic = Clinic.objects.filter(label=label).first()
    if clinic is None:
        raise NoSuchClinic(f"There is no clinic {label!r}: `manage.py clinic list` shows the ones that are.")
    return clinic


def _answer(clinic: Clinic, certificate: dict[str, Any], *, changed: bool) -> Purge:
    total = f"{sum(certificate['rows'].values())} rows in {len(certificate['rows'])} tables"
    if "purged_at" not in certificate:
        return Purge(clinic.label, clinic.state, changed, certificate, f"{total} of {clinic.label} would be removed.")
    sentence = f"{clinic.label} was purged on {certificate['purged_at'][:10]}: {total}, key and files are gone."
    return Purge(clinic.label, Clinic.State.PURGED, changed, certificate, sentence)


def _forget_budget(clinic: Clinic) -> None:
    """Unless another clinic uses the same key, which then was used a moment ago."""
    try:
        with enter_clinic(clinic), transaction.atomic():
            fingerprint = share_for(stored_key(load()), "background").fingerprint
    except (ClinikoError, DatabaseError):  # no key, one that does not open, or tables that do not read
        return
    KeyBudget.objects.filter(fingerprint=fingerprint, used_at__lt=timezone.now() - WINDOW).delete()


def _remove(clinic: Clinic, files: int, *, by: Actor) -> dict[str, Any]:
    """All that PostgreSQL holds, and the certificate, in one transaction; `files` is how many files went. Raises
    OperationalError when something there is locked for long."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [WAIT_FOR_LOCKS])
        clinic = Clinic.objects.select_for_update().get(pk=clinic.pk)
        if clinic.certificate:  # somebody else was first
            return dict(clinic.certificate)
        certificate = {
            "clinic": clinic.label,
            "name": clinic.name,
            "labels": sorted(Domain.objects.filter(tenant=clinic).values_list("domain", flat=True)),
            "schema": clinic.schema_name,
            "created_at": clinic.created_at.isoformat(timespec="seconds"),
            "purged_at": timezone.now().isoformat(timespec="seconds"),
            "purged_by": by.email,
            "rows": _rows(clinic.schema_name),
            "files": files,
            "access_log": {"checked_lines": clinic.audit_length, "digest_of_last": clinic.audit_head},
        }
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(clinic.schema_name)))
        DailyStats.objects.filter(clinic=clinic).delete()
        LaunchTotal.objects.filter(clinic=clinic).delete()
        BreakGlassGrant.objects.filter(clinic=clinic).delete()
        for name in (*schemas.former(clinic), *schemas.unfinished(clinic)):  # what restores have left
            schemas.drop(name)
        Clinic.objects.filter(pk=clinic.pk).update(purged_at=timezone.now(), certificate=certificate)
    return certificate


def _rows(schema_name: str) -> dict[str, int]:
    """How many rows each table of the schema holds; nothing for a schema that is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename", [schema_name])
        counted = {}
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema_name, table)))
            counted[table] = cursor.fetchone()[0]
    return counted
