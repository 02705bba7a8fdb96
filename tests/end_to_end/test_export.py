"""An owner exports the clinic, with the real pages, worker and file."""

import json
import os
import signal
from pathlib import Path
from zipfile import ZipFile

import psycopg
import pytest
from playwright.sync_api import Browser, Page

from tests.end_to_end.pages import sign_in
from tests.end_to_end.stack import Stack, start_worker, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.xdist_group("stack")]


def test_an_owner_starts_and_downloads_an_export(stack: Stack, browser: Browser, tmp_path: Path) -> None:
    expected = {str(record.id) for record in stack.store.all("bondi", "patients")}
    wait_until(lambda: _mirrored(stack, "bondi") >= expected, what="the mirror to catch up with other tests' patients")
    page = export_page(stack, browser, "bondi")
    page.get_by_role("button", name="Create an export").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download").click(timeout=30_000)  # appears without reloading
    path = tmp_path / "all.zip"
    started.value.save_as(path)
    with ZipFile(path) as packed:
        lines = packed.read("patients.jsonl").decode().split("\n")[:-1]
    assert {json.loads(line)["cliniko_id"] for line in lines} >= expected
    page.reload()
    assert "Sidechart has deleted its copy" in page.content()
    page.close()
    wait_until(lambda: "is ready" in _emails(stack), what="the mail to the owner")


def test_a_killed_worker_shows_as_failed_and_a_retry_succeeds(stack: Stack, browser: Browser) -> None:
    page = export_page(stack, browser, "harbour")
    with psycopg.connect(stack.database) as holding:
        [(schema,)] = stack.rows("harbour", "SELECT current_schema()")
        # The export waits for this lock.
        holding.execute(f"LOCK TABLE {schema}.launch_note IN ACCESS EXCLUSIVE MODE".encode())
        page.get_by_role("button", name="Create an export").click()
        page.get_by_text("KB so far").wait_for(timeout=30_000)
        worker = stack.supervisor.child("worker")
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
        stack.supervisor.forget(worker)
        page.get_by_text("The server stopped while creating it").wait_for(timeout=30_000)
        assert not page.get_by_role("button", name="Download").is_visible()
    start_worker(stack)
    page.get_by_role("button", name="Create a new export").click()
    page.get_by_role("button", name="Download").wait_for(timeout=60_000)
    page.close()
    assert stack.rows("harbour", "SELECT state FROM exports_export ORDER BY id") == [("failed",), ("ready",)]


def _mirrored(stack: Stack, label: str) -> set[str]:
    return {cliniko_id for (cliniko_id,) in stack.rows(label, "SELECT cliniko_id FROM sync_patient")}


def export_page(stack: Stack, browser: Browser, label: str) -> Page:
    page = browser.new_page()
    page.goto(stack.sidechart(label, "/settings/export"))
    sign_in(page, stack.person(label, "owner"))
    return page


def _emails(stack: Stack) -> str:
    return "".join(each.read_text() for each in (stack.supervisor.logs.parents[1] / "mail").glob("*"))
