"""Create, use and purge many clinics, then check that nothing of them is left.

Started by tests/end_to_end/test_many_clinics.py as `python -m tests.end_to_end.many_clinics 50`. Compares PostgreSQL's
catalogues, every row of every table and the export files before and after. One clinic with the same ids stays.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import User
from audit.log import OPS
from exports import requests
from exports.tasks import create_export
from ops import break_glass, lifecycle, onboarding
from ops.monitoring import daily_stats
from ops.purge import purge
from sync.connection.rate_limit import share_for
from sync.connection.state import load, stored_key
from tenants.context import clinic_context
from tenants.models import Clinic, KeyBudget
from tests.clinic_data import populate

CATALOGUES = "pg_namespace pg_class pg_type pg_proc pg_constraint pg_trigger pg_depend pg_description".split()
# The certificate, the label that nobody else gets, and who of ops looked into the clinic for which reason.
STAYS = ("public.tenants_clinic", "public.tenants_domain", "public.audit_event")
STAYING = "staying"


def live_in(label: str, ana: User) -> None:
    """Create a clinic and use it: rows in both schemas, an export file, requests counted against its key."""
    onboarding.create(label, name=f"Name of {label}", owner_email="owner@clinic.example")
    with clinic_context(label) as clinic:
        populate(clinic, f"Patient of {label}", patients=20)
        owner = User.objects.get(role="owner")
        export = requests.request_export(by=owner)
        share = share_for(stored_key(load()), "background")
        share.spend()
    Clinic.objects.filter(label=label).update(state="active")
    two_minutes_ago = timezone.now() - timedelta(minutes=2)  # one that was used just now may be another clinic's too
    KeyBudget.objects.filter(fingerprint=share.fingerprint).update(used_at=two_minutes_ago)
    create_export(schema_name=clinic.schema_name, export_id=export.pk)
    daily_stats.measure(clinic, now=timezone.now())
    break_glass.grant_access(clinic, user=ana, reason=f"A look at {label}", minutes=15)


def found() -> dict[str, Any]:
    """Return what a purge must restore: objects by catalogue, rows by table, digests by file."""
    return {"catalogues": catalogues(), "rows": dict(rows()), "files": files()}


def catalogues() -> dict[str, int]:
    with connection.cursor() as cursor:
        counted = {}
        for each in CATALOGUES:
            cursor.execute(f"SELECT count(*) FROM {each}")  # noqa: S608 - ours
            counted[each] = cursor.fetchone()[0]
    return counted


def rows() -> Iterator[tuple[str, Counter[str]]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public' OR schemaname LIKE 'clinic%'"
        )
        for schema, table in cursor.fetchall():
            cursor.execute(f'SELECT each::text FROM "{schema}"."{table}" AS each')  # noqa: S608 - ours
            yield f"{schema}.{table}", Counter(text for (text,) in cursor.fetchall())


def files() -> dict[str, str]:
    below = (path for path in Path(settings.EXPORT_DIRECTORY).rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in below}


def come_and_go(count: int) -> None:
    ana = User.objects.create_user("ana@sidechart.example", "correct horse 42", name="Ana", role="owner")
    live_in(STAYING, ana)
    before, labels = found(), [f"clinic-{number}" for number in range(count)]
    assert len(before["files"]) == 1
    for label in labels:
        live_in(label, ana)
    lived_in = found()
    assert len(lived_in["files"]) == 1 + count
    for label in labels:
        lifecycle.suspend(label, reason="goodbye", by=OPS)
        certificate = purge(label, by=OPS).certificate
        counted = certificate["rows"]["sync_patient"], certificate["files"]
        assert counted == (21, 1), counted
    after = found()
    for table in STAYS:
        assert not before["rows"][table] - after["rows"].pop(table), f"{table}: something of the one that stays changed"
        del before["rows"][table]
    for part in before:
        changed = [each for each in before[part] if after[part].get(each) != before[part][each]]
        assert after[part] == before[part], f"{part}: something was left, or taken from the one that stays: {changed}"
    assert Clinic.objects.filter(label__in=labels).exclude(purged_at=None).count() == count


if __name__ == "__main__":
    come_and_go(int(sys.argv[1]))
