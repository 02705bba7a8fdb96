"""Clinics come, are lived in, and are purged; afterwards everything outside of their own rows is as it was before.

Started by tests/end_to_end/test_many_clinics.py: `python -m tests.end_to_end.many_clinics 50`. What is looked
at: PostgreSQL's catalogues, every row of every table, the files of exports and the broker's messages. One
clinic stays beside them, with the same ids and as much of everything.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import django

django.setup()

from celery import current_app
from django.conf import settings
from django.db import connection
from django.utils import timezone
from kombu import Queue

from accounts.models import User
from audit.log import OPS
from exports import requests
from exports.tasks import make
from ops import break_glass, lifecycle, onboarding
from ops.monitoring import broker, daily_stats
from ops.purge import purge
from sync.connection.rate_limit import share_of
from sync.connection.state import load, stored_key
from sync.tasks import sync_clinic
from tenants.context import clinic_context
from tenants.models import Clinic, KeyBudget
from tests.lived_in_clinic import furnish

CATALOGUES = "pg_namespace pg_class pg_type pg_proc pg_constraint pg_trigger pg_depend pg_description".split()
# The certificate, the label that nobody else gets, and who of ops looked into the clinic for which reason.
STAYS = ("public.tenants_clinic", "public.tenants_domain", "public.audit_event")
STAYING = "staying"


def live_in(label: str, ana: User) -> None:
    """Everything that a clinic leaves anywhere: rows in both schemas, a file, messages, its key's count of requests."""
    onboarding.create(label, name=f"Name of {label}", owner_email="owner@clinic.example")
    with clinic_context(label) as clinic:
        furnish(clinic, f"Patient of {label}", patients=20)
        owner = User.objects.get(role="owner")
        export = requests.ask(by=owner)
        share = share_of(stored_key(load()), "background")
        share.spend()
    Clinic.objects.filter(label=label).update(state="active")
    two_minutes_ago = timezone.now() - timedelta(minutes=2)  # one that was used just now may be another clinic's too
    KeyBudget.objects.filter(fingerprint=share.fingerprint).update(used_at=two_minutes_ago)
    make(schema_name=clinic.schema_name, export_id=export.pk)
    for line in settings.CELERY_TASK_QUEUES:
        sync_clinic.apply_async(kwargs={"schema_name": clinic.schema_name}, queue=line)
        make.apply_async(kwargs={"schema_name": clinic.schema_name, "export_id": export.pk}, queue=line)
    daily_stats.measure(clinic, now=timezone.now())
    break_glass.begin(clinic, user=ana, reason=f"A look at {label}", minutes=15)


def found() -> dict[str, Any]:
    """All that must be as before: objects by catalogue, rows by table, digests by file, counts of messages by queue."""
    return {"catalogues": catalogues(), "rows": dict(rows()), "files": files(), "messages": broker.depths()}


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


@contextmanager
def lines_of_our_own() -> Iterator[None]:
    """Queues from which no worker takes."""
    settings.CELERY_TASK_QUEUES = [Queue(f"{kind}-{uuid4()}") for kind in ("short", "long")]
    yield
    with current_app.connection_for_write() as broker:
        for line in settings.CELERY_TASK_QUEUES:
            line(broker.default_channel).delete()


def come_and_go(count: int) -> None:
    ana = User.objects.create_user("ana@sidechart.example", "correct horse 42", name="Ana", role="owner")
    live_in(STAYING, ana)
    before, labels = found(), [f"clinic-{number}" for number in range(count)]
    assert sum(before["messages"].values()) == 4
    assert len(before["files"]) == 1
    for label in labels:
        live_in(label, ana)
    lived_in = found()
    assert len(lived_in["files"]) == 1 + count
    assert sum(lived_in["messages"].values()) == 4 + 4 * count
    for label in labels:
        lifecycle.suspend(label, reason="goodbye", by=OPS)
        certificate = purge(label, by=OPS).certificate
        counted = certificate["rows"]["sync_patient"], certificate["files"], certificate["messages"]
        assert counted == (21, 1, 4), counted
    after = found()
    for table in STAYS:
        assert not before["rows"][table] - after["rows"].pop(table), f"{table}: something of the one that stays changed"
        del before["rows"][table]
    for part in before:
        changed = [each for each in before[part] if after[part].get(each) != before[part][each]]
        assert after[part] == before[part], f"{part}: something was left, or taken from the one that stays: {changed}"
    assert Clinic.objects.filter(label__in=labels).exclude(purged_at=None).count() == count


if __name__ == "__main__":
    with lines_of_our_own():
        come_and_go(int(sys.argv[1]))
