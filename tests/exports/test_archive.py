"""An export has every record of its clinic and nothing else."""

import csv
import json
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from io import StringIO
from textwrap import dedent
from typing import Any

import pytest

from accounts.models import User
from exports import archive
from exports.registry import ExportTable, export_tables
from sync.models import Connection, Patient
from tenants.context import clinic_context
from tests.conftest import CLINICS
from tests.exports.conftest import BIG, OpenedExport
from tests.payloads import patient_payload

ExportOf = Callable[[str], OpenedExport]
pytestmark = pytest.mark.usefixtures("filled_clinics")
by_table = pytest.mark.parametrize("table", export_tables(), ids=lambda table: str(table.name))


def stored_rows(label: str, table: ExportTable) -> list[dict[str, Any]]:
    """Return the rows as Django reads them."""
    with clinic_context(label):
        rows = table.model._default_manager.order_by("pk").values(*table.columns)
        return [json.loads(json.dumps(row, default=str)) for row in rows]


def parse_times(row: dict[str, Any], model: Any) -> dict[str, Any]:
    """Return the row with its times as datetimes, to compare different spellings."""
    times = {field.column for field in model._meta.concrete_fields if field.get_internal_type() == "DateTimeField"}
    return {name: datetime.fromisoformat(value) if name in times and value else value for name, value in row.items()}


@pytest.mark.parametrize("label", ["bondi", "harbour"])
@by_table
def test_it_has_every_record_with_every_column(export_of: ExportOf, label: str, table: ExportTable) -> None:
    exported = export_of(label)
    found = [
        parse_times({name: value for name, value in line.items() if name not in table.computed}, table.model)
        for line in exported.lines(table.name)
    ]
    expected = [parse_times(row, table.model) for row in stored_rows(label, table)]
    key = str(table.columns[0])
    assert sorted(found, key=lambda row: str(row[key])) == sorted(expected, key=lambda row: str(row[key]))


def test_payloads_are_as_received_and_ids_are_text(export_of: ExportOf) -> None:
    lines = {line["cliniko_id"]: line for line in export_of("bondi").lines("patients")}
    assert set(lines) == {"42", BIG}
    assert lines["42"]["payload"] == patient_payload("42", first_name="Ada", last_name="Lindqvist")
    assert lines[BIG]["payload"]["last_name"] == "O'Hara \"\\ Tab\there"
    assert lines[BIG]["payload"]["notes"] == "one\ntwo\r\n\x7fé 🙂"


@pytest.mark.parametrize(("label", "other"), [("bondi", "harbour"), ("harbour", "bondi")])
def test_it_has_nothing_of_the_other_clinic(export_of: ExportOf, label: str, other: str) -> None:
    text = export_of(label).all_text()
    names = {"bondi": "Lindqvist", "harbour": "Okoro"}
    assert text.count(f"of {label}") >= 9
    assert names[label] in text
    for word in (other, CLINICS[other], names[other]):
        assert word not in text


def csv_rows(exported: OpenedExport, name: str) -> list[dict[str, str]]:
    content = exported.files[f"{name}.csv"].decode("utf-8-sig")
    return list(csv.DictReader(StringIO(content, newline="")))


@by_table
def test_the_csv_has_a_row_for_each_record(export_of: ExportOf, table: ExportTable) -> None:
    exported = export_of("bondi")
    rows = csv_rows(exported, table.name)
    assert len(rows) == len(exported.lines(table.name))
    assert exported.files[f"{table.name}.csv"].startswith(b"\xef\xbb\xbf")
    assert {tuple(row) for row in rows} <= {table.headings or (*table.columns, *table.computed)}


def test_the_csv_has_names_and_local_times(export_of: ExportOf) -> None:
    exported = export_of("bondi")
    (appointment,) = csv_rows(exported, "individual_appointments")
    assert appointment["starts_at"] == "2026-03-01 20:00:00"  # daylight saving time in Sydney
    assert (appointment["practitioner"], appointment["business"]) == ("Mei-Lin of bondi", "Rooms of bondi")
    (alert,) = csv_rows(exported, "medical_alerts")
    assert (alert["patient"], alert["name"]) == ("Ada Lindqvist", "alert of bondi")
    ada = next(row for row in csv_rows(exported, "patients") if row["cliniko_id"] == "42")
    assert (ada["date_of_birth"], ada["phones"]) == ("1990-04-17", "Mobile 0491 570 006")


def test_no_cell_is_a_formula(export_of: ExportOf, add_patient: Callable[..., str]) -> None:
    for place, sign in enumerate("=+-@\t\r\n"):
        add_patient("bondi", f"6{place}", first_name=f"{sign}1+1", last_name="x", email=f"a{sign}b")
    exported = export_of("bondi")
    cells = [cell for table in export_tables() for row in csv_rows(exported, table.name) for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    signed = {row["cliniko_id"]: row for row in csv_rows(exported, "patients") if row["cliniko_id"].startswith("6")}
    assert {row["first_name"] for row in signed.values()} == {f"'{sign}1+1" for sign in "=+-@\t\r\n"}
    assert signed["60"]["email"] == "a=b"


def test_the_manifest_has_each_files_records_size_and_digest(export_of: ExportOf) -> None:
    exported = export_of("bondi")
    assert {each["name"] for each in exported.manifest["files"]} | {"manifest.json"} == set(exported.files)
    for each in exported.manifest["files"]:
        content = exported.files[each["name"]]
        assert (each["bytes"], each["sha256"]) == (len(content), sha256(content).hexdigest())
        if each["name"].endswith(".jsonl"):
            assert each["records"] == content.count(b"\n")
    assert exported.manifest["clinic"]["label"] == "bondi"
    assert exported.manifest["left_out"]["accounts.User.password"]
    assert exported.manifest["left_out"]["sessions.Session"]


def test_the_readme_describes_every_file_and_its_program_finds_tampering_with_the_log(
    export_of: ExportOf, force_login: Callable[..., Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/patients/42/", "/", "/patients/42/"):
        assert force_login("bondi", role="owner").get(path).status_code == 200
    exported = export_of("bondi")
    readme = exported.files["README.txt"].decode()
    assert all(f"\n{table.name}\n" in readme for table in export_tables())
    assert "Australia/Sydney" in readme
    program = readme[readme.index("    import hashlib") : readme.rindex("audit_log_checked")]
    check = compile(dedent(program), "README.txt", "exec")
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "audit_log.jsonl"
    log.write_bytes(exported.files["audit_log.jsonl"])
    assert log.read_text().count("\n") >= 3
    exec(check, {})  # noqa: S102 - our own README
    for old, new in (("owner@clinic.example", "nobody@clinic.example"), ('"action":"viewed"', '"action":"listed"')):
        log.write_text(exported.files["audit_log.jsonl"].decode().replace(old, new, 1))
        with pytest.raises(AssertionError):
            exec(check, {})  # noqa: S102
    log.write_text(exported.files["audit_log.jsonl"].decode().partition("\n")[2])
    with pytest.raises(AssertionError):
        exec(check, {})  # noqa: S102


def test_it_has_no_secrets(
    export_of: ExportOf, force_login: Callable[..., Any], staff_member: Callable[..., User]
) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(sealed_key="canary-0123456789abcdef", key_last4="CA42")
    browser = force_login("bondi", role="owner")
    session = browser.cookies["sessionid"].value
    hashed = staff_member("bondi", role="owner").password
    text = export_of("bondi").all_text()
    assert "CA42" in text
    for secret in ("canary", session, hashed, hashed.rpartition("$")[2]):
        assert secret not in text


def test_a_clinic_without_a_cliniko_connection_can_be_exported(export_of: ExportOf) -> None:
    with clinic_context("bondi"):
        Connection.objects.all().delete()
        Patient.objects.all().delete()
    exported = export_of("bondi")
    assert exported.lines("patients") == exported.lines("connection") == []
    assert exported.manifest["time_zone"] == "UTC"


def test_a_long_table_is_read_in_chunks(
    export_of: ExportOf, add_patient: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(60):
        add_patient("bondi", f"9{place:03}", notes="x" * 900)
    monkeypatch.setattr(archive, "CHUNK_SIZE", 4_000)
    sizes: list[int] = []
    copy_chunks = archive.copy_chunks

    def measured(cursor: Any, statement: str) -> Any:
        for chunk in copy_chunks(cursor, statement):
            sizes.append(len(chunk))
            yield chunk

    monkeypatch.setattr(archive, "copy_chunks", measured)
    exported = export_of("bondi")
    assert len(exported.lines("patients")) == 62
    assert sum(sizes) > 100_000
    assert max(sizes) < 4_000 + 3_000  # one row more than the limit
