"""`manage.py clinic set-key` and `sync`."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from sandbox.cliniko.faults.kinds import Fault
from sync.models import Connection
from tenants.context import clinic_context
from tenants.dates import in_zone
from tenants.models import Clinic
from tests.cliniko_sandbox import Sandbox

RunClinic = Callable[..., Any]
Refusal = Callable[..., str]


def test_set_key_sync_and_show(sandbox: Sandbox, run_clinic: RunClinic, bondi: Clinic) -> None:
    sandbox.store.add_patient("bondi", id="42", first_name="Ada")
    key = sandbox.store.key("bondi")
    connected = run_clinic("set-key", "bondi", "--key-stdin", stdin=key + "\n")
    assert connected["account"] == "Bondi Physio"
    synced = run_clinic("sync", "bondi")
    assert synced["state"] == "ok"
    # One request for the list, and one for the count of deleted ones that later counts are compared with.
    assert synced["resources"]["patients"] == {"fetched": 1, "written": 1, "requests": 2}
    again = run_clinic("sync", "bondi", "--full")
    assert again["resources"]["patients"]["written"] == 0
    assert again["mended"]["patients"] == 0
    report = run_clinic("show", "bondi")
    assert report["counts"]["patients"] == 1
    assert key not in json.dumps(report)


def test_set_key_lists_what_the_key_can_read(
    sandbox: Sandbox, bondi: Clinic, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = sandbox.store.key("bondi")
    sandbox.store.forbid(key, "medical_alerts")
    monkeypatch.setattr(sys, "stdin", StringIO(key))
    call_command("clinic", "set-key", "bondi", "--key-stdin")
    output = " ".join(capsys.readouterr().out.split())
    assert "Connected to Bondi Physio (au1) as " in output
    assert "Medical alerts: no, this user’s role doesn’t allow it." in output
    assert "Invoices: yes, though Sidechart doesn’t copy them." in output


def test_a_bad_key_is_refused_and_not_stored(
    sandbox: Sandbox, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for typed, sentence in (("MS0xLW5vdC1hLWtleQ-au1", "doesn't accept"), ("a b", "isn't a Cliniko API key")):
        monkeypatch.setattr(sys, "stdin", StringIO(typed))
        error = refusal("set-key", "bondi", "--key-stdin")
        assert sentence in error
        assert typed not in error
    with clinic_context("bondi"):
        assert not Connection.objects.exclude(sealed_key="").exists()


@pytest.mark.parametrize("words", [(), ("--full",), ("--dry-run",)])
def test_sync_does_not_use_the_key_of_a_suspended_or_closed_clinic(
    sandbox: Sandbox, refusal: Refusal, words: tuple[str, ...]
) -> None:
    sandbox.connect("bondi")
    Clinic.objects.filter(label="bondi").update(state="suspended")
    requests = sandbox.store.count_requests()
    assert "suspended: it doesn't sync" in refusal("sync", "bondi", *words)
    Clinic.objects.filter(label="bondi").update(state="closing", closing_on=timezone.now().date())
    assert "bondi is closed: it doesn't sync" in refusal("sync", "bondi", *words)
    assert sandbox.store.count_requests() == requests


@pytest.mark.parametrize(("successes", "hours"), [(0, 6), (2, 1)])  # the list itself, or its comparison alone
def test_a_full_sync_reports_incomplete_comparisons_and_when_they_continue(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], successes: int, hours: int
) -> None:
    for label in ("bondi", "harbour"):
        sandbox.connect(label)
        sandbox.sync(label)
    sandbox.store.inject_fault("bondi", Fault.FORBIDDEN, resource="medical_alerts", after=successes, times=None)
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        call_command("clinic", "sync", "bondi", "--full", "--json")
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert (stopped.value.code, result["state"], set(result["put_off"])) == (1, "incomplete", {"medical_alerts"})
    continues = datetime.fromisoformat(result["put_off"]["medical_alerts"])
    assert timedelta(hours=hours - 0.1) < continues - timezone.now() <= timedelta(hours=hours)
    assert output.err.count("\n") == 1
    assert f"medical_alerts (continues {in_zone(continues, UTC)})" in output.err
    call_command("clinic", "sync", "harbour", "--full", "--json")
    assert json.loads(capsys.readouterr().out)["state"] == "ok"
