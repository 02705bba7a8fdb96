"""A purge leaves only the clinic's certificate and labels, and doesn't touch the other clinic."""

import json
from collections.abc import Callable
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from audit.log import OPS
from exports import storage
from ops import lifecycle, onboarding
from ops.errors import Refused
from ops.purge import purge
from sync.tasks import sync_clinic, take_due_clinics
from tenants.context import NoSuchClinic
from tenants.models import Clinic, KeyBudget
from tests.cliniko_sandbox import Sandbox


@pytest.fixture
def synced_clinics(sandbox: Sandbox) -> Sandbox:
    for label in ("bondi", "harbour"):
        sandbox.connect(label)
        sandbox.store.add_patient(label, id="42", first_name="Ada")
        sandbox.sync(label)
    return sandbox


def digest(schema_name: str) -> dict[str, str]:
    """Return a digest of each table's rows."""
    digests = {}
    with connection.cursor() as cursor:
        for table in tables_of(schema_name):
            cursor.execute(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {schema_name}.{table} t")  # noqa: S608
            digests[table] = cursor.fetchone()[0]
    return digests


def tables_of(schema_name: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema_name])
        return [row[0] for row in cursor.fetchall()]


def schema_exists(schema_name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema_name])
        return cursor.fetchone() is not None


def public_tables_with(text: str) -> set[str]:
    """Return the tables of the public schema that contain the text."""
    found = set()
    with connection.cursor() as cursor:
        for table in tables_of("public"):
            cursor.execute(f"SELECT count(*) FROM public.{table} t WHERE t::text LIKE %s", [f"%{text}%"])  # noqa: S608
            found |= {table} if cursor.fetchone()[0] else set()
    return found


def test_exports_waiting_for_download_are_deleted(bondi: Clinic, harbour: Clinic) -> None:
    for clinic in (bondi, harbour):
        storage.create_directory(clinic.schema_name)
        storage.export_path(clinic.schema_name, 1).write_bytes(b"all of it")
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    purge("bondi", by=OPS, dry_run=True)
    assert storage.export_path(bondi.schema_name, 1).exists()
    purge("bondi", by=OPS)
    assert storage.list_schemas() == [harbour.schema_name]
    assert storage.export_path(harbour.schema_name, 1).read_bytes() == b"all of it"


def test_files_are_deleted_before_the_certificate_is_written(bondi: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.create_directory(bondi.schema_name)
    storage.export_path(bondi.schema_name, 1).write_bytes(b"all of it")
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)

    def kill(*_: object, **__: object) -> None:
        assert storage.list_schemas() == []
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.purge._delete_everything", kill)
    with pytest.raises(KeyboardInterrupt):
        purge("bondi", by=OPS)
    bondi.refresh_from_db()
    assert bondi.certificate is None


def test_schemas_left_by_restores_are_dropped(bondi: Clinic, harbour: Clinic) -> None:
    marks = ((bondi, "former schema"), (bondi, "unfinished restore"), (harbour, "former schema"))
    leftovers = [f"clinic_{number:016x}" for number in range(3)]
    with connection.cursor() as cursor:
        for name, (clinic, kind) in zip(leftovers, marks, strict=True):
            comment = f"Sidechart: {kind} of clinic {clinic.pk}"
            cursor.execute(f"CREATE SCHEMA {name}; COMMENT ON SCHEMA {name} IS '{comment}'")
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    purge("bondi", by=OPS)
    assert [schema_exists(name) for name in leftovers] == [False, False, True]


def test_only_the_certificate_and_the_labels_remain(synced_clinics: Sandbox, bondi: Clinic, harbour: Clinic) -> None:
    before = digest(harbour.schema_name)
    lifecycle.rename("bondi", "manly", by=OPS)
    lifecycle.suspend("manly", reason="goodbye", by=OPS)
    KeyBudget.objects.update(used_at="2026-01-01T00:00:00Z")
    done = purge("manly", by=OPS)
    assert done.certificate["labels"] == ["bondi", "manly"]
    assert done.certificate["rows"]["sync_patient"] == 1
    assert not schema_exists(bondi.schema_name)
    assert digest(harbour.schema_name) == before
    assert KeyBudget.objects.count() == 1
    assert public_tables_with(bondi.schema_name) == {"tenants_clinic"}
    unknown = Client(HTTP_HOST="nowhere.localhost").get("/")
    for label in ("bondi", "manly"):
        response = Client(HTTP_HOST=f"{label}.localhost").get("/")
        assert (response.status_code, response.content) == (404, unknown.content)
        with pytest.raises(Refused, match="taken"):
            onboarding.create(label, name="Another", owner_email="owner@another.example")


def test_messages_left_in_the_broker_do_nothing(synced_clinics: Sandbox, bondi: Clinic) -> None:
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    purge("bondi", by=OPS)
    sync_clinic(schema_name=bondi.schema_name)
    assert bondi.schema_name not in dict(take_due_clinics())
    assert not schema_exists(bondi.schema_name)


def test_the_count_of_a_recently_used_key_stays(synced_clinics: Sandbox) -> None:
    assert KeyBudget.objects.count() == 2
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    purge("bondi", by=OPS)  # its key was used within the last minute, perhaps by another clinic
    assert KeyBudget.objects.count() == 2


def test_a_working_clinic_is_not_purged(synced_clinics: Sandbox, bondi: Clinic) -> None:
    before = digest(bondi.schema_name)
    with pytest.raises(Refused, match="is still working"):
        purge("bondi", by=OPS)
    assert digest(bondi.schema_name) == before


def test_a_closing_clinic_is_purged_only_after_its_closing_date(bondi: Clinic) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(state="closing", closing_on="2040-01-01")
    with pytest.raises(Refused, match="is still working"):
        purge("bondi", by=OPS)
    Clinic.objects.filter(pk=bondi.pk).update(state="closing", closing_on="2026-01-01")
    assert purge("bondi", by=OPS).is_done


def test_show_prints_a_purged_clinics_certificate(bondi: Clinic, capsys: pytest.CaptureFixture[str]) -> None:
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    made = purge("bondi", by=OPS).certificate
    capsys.readouterr()
    call_command("clinic", "show", "bondi", "--json")
    assert json.loads(capsys.readouterr().out) == {"clinic": "bondi", "state": "purged", "certificate": made}
    call_command("clinic", "show", "bondi")
    assert "certificate: purged at" in capsys.readouterr().out


def test_repeating_a_purge_returns_the_same_certificate(bondi: Clinic) -> None:
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    first = purge("bondi", by=OPS)
    again = purge("bondi", by=OPS)
    assert (first.changed, again.changed) == (True, False)
    assert again.certificate == first.certificate


def test_no_other_action_finds_a_purged_clinic(bondi: Clinic) -> None:
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    purge("bondi", by=OPS)
    for change in (
        lambda: lifecycle.resume("bondi", by=OPS),
        lambda: lifecycle.rename("bondi", "manly", by=OPS),
        lambda: lifecycle.suspend("bondi", reason="again", by=OPS),
    ):
        with pytest.raises(NoSuchClinic):
            change()
    assert [row["clinic"] for row in onboarding.list_clinics()] == ["harbour"]


def test_a_purge_blocked_by_a_lock_is_refused_and_completes_when_repeated(
    bondi: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.purge.LOCK_TIMEOUT", "100ms")
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute(f"LOCK TABLE {bondi.schema_name}.sync_patient IN ACCESS SHARE MODE")
        with pytest.raises(Refused, match="run it again"):
            purge("bondi", by=OPS)
    assert schema_exists(bondi.schema_name)
    assert next((row["clinic"], row["state"]) for row in onboarding.list_clinics()) == (
        "bondi",
        "purged",
    )  # until the purge is complete
    assert Client(HTTP_HOST="bondi.localhost").get("/").status_code == 404
    with pytest.raises(NoSuchClinic):
        lifecycle.resume("bondi", by=OPS)
    assert purge("bondi", by=OPS).is_done


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", StringIO(text))


@pytest.mark.parametrize("typed", ["", "\n", "harbour\n"])
def test_without_the_typed_label_nothing_is_deleted(
    bondi: Clinic, type_in: Callable[[str], None], typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    type_in(typed)
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", "purge", "bondi")
    assert stopped.value.code == 1
    assert "nothing was deleted" in capsys.readouterr().err
    assert schema_exists(bondi.schema_name)


def test_a_dry_run_counts_rows_and_deletes_nothing(
    synced_clinics: Sandbox, bondi: Clinic, capsys: pytest.CaptureFixture[str]
) -> None:
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    before = digest(bondi.schema_name)
    call_command("clinic", "purge", "bondi", "--dry-run", "--json")
    result = json.loads(capsys.readouterr().out)
    assert (result["changed"], result["certificate"]["rows"]["sync_patient"]) == (False, 1)
    assert digest(bondi.schema_name) == before


def test_typing_the_label_purges(
    bondi: Clinic, type_in: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    type_in("bondi\n")
    call_command("clinic", "purge", "bondi")
    assert "was purged on" in capsys.readouterr().out
    assert not schema_exists(bondi.schema_name)
