"""`manage.py clinic list` and `show`."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox

RunClinic = Callable[..., Any]


def test_list_and_show_have_the_clinics_states(bondi: Clinic, harbour: Clinic, run_clinic: RunClinic) -> None:
    assert [row["clinic"] for row in run_clinic("list")] == ["bondi", "harbour"]
    report = run_clinic("show", "bondi")
    assert (report["state"], report["key_state"], report["last_run"]) == ("active", "missing", None)


def test_list_and_show_are_plain_tables(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    sandbox.connect("bondi")
    sandbox.sync("bondi")
    Clinic.objects.filter(label="harbour").update(state="closing", closing_on="2100-03-01", key_state="invalid")
    capsys.readouterr()
    call_command("clinic", "list")
    bondi, harbour = (line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert bondi[3:5] == ["active", "ok"]
    assert harbour[3:6] == ["closing", "2100-03-01", "invalid"]
    call_command("clinic", "show", "bondi")
    report = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (report["state"], report["key state"], report["counts: patients"], report["closing on"]) == (
        ("active", "ok", "1", "-")
    )
    assert "(mended 0, fetched " in report["last run: resources"]
    assert not re.search(r"[{}\[\]]|None|True", str(list(report.values())).strip("[]"))


def test_a_piped_table_is_not_truncated(bondi: Clinic, harbour: Clinic, capsys: pytest.CaptureFixture[str]) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(
        name="Bondi Physiotherapy and Sports Medicine by the Beach, Campbell Parade"
    )
    call_command("clinic", "list")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Campbell Parade" in line]
    assert line.rstrip().endswith("http://bondi.localhost:8000/")


def test_the_list_shows_whole_urls_on_a_narrow_terminal(
    bondi: Clinic, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    Clinic.objects.filter(pk=bondi.pk).update(checked_at=timezone.now())
    call_command("clinic", "list")
    assert "http://bondi.localhost:8000/" in capsys.readouterr().out
