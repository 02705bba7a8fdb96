"""An owner gets all of the clinic in one file: pages, worker and file as they really are."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser

from tests.end_to_end.stack import Stack, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("stack")]


def test_an_owner_asks_watches_and_downloads(stack: Stack, browser: Browser, tmp_path: Path) -> None:
    owner = stack.person("bondi", "owner")
    page = browser.new_page()
    page.goto(stack.sidechart("bondi", "/settings/export"))
    page.get_by_label("E-mail").fill(owner.email)
    page.get_by_label("Password", exact=True).fill(owner.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Make an export").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download").click(timeout=30_000)  # the page brings it by itself
    path = tmp_path / "all.zip"
    started.value.save_as(path)
    with ZipFile(path) as packed:
        lines = packed.read("patients.jsonl").decode().split("\n")[:-1]
    held = {str(record.id) for record in stack.store.all("bondi", "patients")}
    assert {json.loads(line)["cliniko_id"] for line in lines} >= held
    page.reload()
    assert "Sidechart keeps no copy" in page.content()
    page.close()
    wait_until(lambda: "is ready" in _mails(stack), what="the mail to the owner")


def _mails(stack: Stack) -> str:
    return "".join(each.read_text() for each in (stack.supervisor.logs.parent / "mail").glob("*"))
