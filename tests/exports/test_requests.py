"""An owner requests an export, a worker creates it, and an owner downloads it once."""

import errno
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import User
from accounts.roles import Role
from accounts.signals import REAUTHENTICATED_AT
from audit.models import Event
from exports import archive, requests, storage, tasks
from exports.models import Export
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.exports.conftest import PAGE, REQUEST, Messages, OpenedExport, export_states, exports_of, files, page_of
from tests.launch.conftest import access_log

Browsers = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("filled_clinics")


def update_export(**fields: Any) -> None:
    with clinic_context("bondi"):
        Export.objects.update(**fields)


def backdate_sign_in(browser: Client, minutes: int = 6) -> None:
    with clinic_context("bondi"):
        session = browser.session
        session[REAUTHENTICATED_AT] = session[REAUTHENTICATED_AT] - minutes * 60
        session.save()


def test_an_owner_requests_and_downloads_an_export(
    owner: Client, bondi: Clinic, export_messages: Messages, tmp_path: Path, export_directory: Path
) -> None:
    assert "Create an export" in page_of(owner)
    assert owner.post(REQUEST)["Location"] == PAGE
    assert "Waiting to start" in page_of(owner)
    [export] = exports_of("bondi")
    assert export_messages == [{"schema_name": bondi.schema_name, "export_id": export.pk}]
    tasks.create_export(**export_messages[0])
    assert "Ready" in page_of(owner)
    answer = owner.post(f"{PAGE}/{export.pk}/download")
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined] # the client returns a streaming response here
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Length"] == str(len(content))
    assert answer["Content-Disposition"].startswith('attachment; filename="sidechart-bondi-2')
    assert "no-store" in answer["Cache-Control"]
    path = tmp_path / "downloaded.zip"
    path.write_bytes(content)
    opened = OpenedExport(path)
    assert len(opened.lines("patients")) == 2
    assert "harbour" not in opened.all_text()
    assert files(export_directory) == []
    assert "downloaded by <bdi>owner@clinic.example</bdi>" in page_of(owner)
    assert exports_of("harbour") == []


def test_requests_and_downloads_are_logged(owner: Client, ready: str) -> None:
    owner.post(ready)
    entries = [entry for entry in access_log("bondi") if entry[1] == "exported"]
    assert entries == [("owner@clinic.example", "exported", "")] * 2
    with clinic_context("bondi"):
        details = [event.details for event in Event.objects.filter(action="exported").order_by("pk")]
    assert details == [{"what": "clinic", "step": "requested"}, {"what": "clinic", "step": "downloaded"}]
    assert access_log("harbour") == []


def test_nothing_is_requested_or_downloaded_if_the_log_cannot_be_written(
    owner: Client, ready: str, monkeypatch: pytest.MonkeyPatch, export_directory: Path, export_messages: Messages
) -> None:
    def broken(**_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Event.objects, "create", broken)
    assert owner.post(ready).status_code == 503
    assert owner.post(REQUEST).status_code == 503
    assert export_states("bondi") == ["ready"]
    assert len(files(export_directory)) == len(export_messages) == 1


def test_it_can_be_downloaded_once(owner: Client, ready: str) -> None:
    assert owner.post(ready).status_code == 200
    answer = owner.post(ready, follow=True)
    assert "no longer available" in answer.content.decode()
    assert len([entry for entry in access_log("bondi") if entry[1] == "exported"]) == 2


def test_only_one_of_two_simultaneous_downloads_succeeds(
    ready: str, staff_member: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second download finishes just after the first has opened the file."""
    robin = staff_member("bondi", role="owner")
    opened = Path.open
    got: list[bytes] = []

    def open_and_download(path: Path, *args: Any) -> Any:
        file = opened(path, *args)
        if not got:
            got.append(b"")
            with requests.download(exports[0].pk, by=robin) as second:
                got.append(second.read(2))
        return file

    with clinic_context("bondi"):
        exports = list(Export.objects.all())
        monkeypatch.setattr(Path, "open", open_and_download)
        with pytest.raises(requests.ExportUnavailable):
            requests.download(exports[0].pk, by=robin)
    assert got == [b"", b"PK"]


def test_another_owner_of_the_clinic_can_download_it(owner: Client, ready: str, force_login: Browsers) -> None:
    other = force_login("bondi", role="owner", email="second@clinic.example")
    assert other.post(ready).status_code == 200
    assert exports_of("bondi")[0].downloaded_by == "second@clinic.example"


@pytest.mark.parametrize("role", [role.value for role in Role if role != Role.OWNER])
def test_only_owners_can_see_request_or_download_exports(ready: str, force_login: Browsers, role: str) -> None:
    browser = force_login("bondi", role=role)
    answers = [browser.get(PAGE), browser.get(f"{PAGE}/progress"), browser.post(REQUEST), browser.post(ready)]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert export_states("bondi") == ["ready"]
    if role == Role.ADMIN:
        assert PAGE not in browser.get("/settings/").content.decode()


def test_an_owner_of_another_clinic_cannot_download_it(
    ready: str, force_login: Browsers, clinic_client: Browsers
) -> None:
    stranger = force_login("harbour", role="owner")
    assert "no longer available" in stranger.post(ready, follow=True).content.decode()
    assert "Create an export" in page_of(stranger)
    answer = stranger.post(ready, headers={"Host": "bondi.localhost"})
    assert answer["Location"].startswith("/login")
    assert clinic_client("bondi").post(ready)["Location"].startswith("/login")
    assert export_states("bondi") == ["ready"]


def test_a_former_owner_is_refused(owner: Client, ready: str) -> None:
    with clinic_context("bondi"):
        User.objects.filter(role="owner").update(role="admin")
    assert owner.post(ready).status_code == 403


def test_an_owner_who_signed_in_a_while_ago_must_confirm_first(owner: Client, ready: str) -> None:
    backdate_sign_in(owner)
    for url in (REQUEST, ready):
        answer = owner.post(url, headers={"Referer": f"http://bondi.localhost:8000{PAGE}"})
        assert answer["Location"].startswith("/account/confirm?t=")
        assert PAGE not in answer["Location"]
    assert export_states("bondi") == ["ready"]
    assert owner.get(PAGE).status_code == 200


def test_it_expires_after_seven_days(owner: Client, ready: str, export_directory: Path) -> None:
    [export] = exports_of("bondi")
    assert export.finished_at
    assert export.expires_at == export.finished_at + timedelta(days=7)
    tasks.clean_up()
    assert len(files(export_directory)) == 1
    update_export(expires_at=timezone.now() - timedelta(seconds=1))
    assert "wasn't downloaded within 7 days" in page_of(owner)
    assert "no longer available" in owner.post(ready, follow=True).content.decode()
    tasks.clean_up()
    assert list(export_directory.iterdir()) == []
    assert export_states("bondi") == ["expired"]


def test_a_second_request_is_refused_while_one_is_in_progress(owner: Client, export_messages: Messages) -> None:
    owner.post(REQUEST)
    assert "already being created" in owner.post(REQUEST, follow=True).content.decode()
    assert len(exports_of("bondi")) == len(export_messages) == 1


def test_a_new_export_expires_the_previous_one(
    owner: Client, ready: str, export_messages: Messages, export_directory: Path
) -> None:
    owner.post(REQUEST)
    assert export_states("bondi") == ["expired", "requested"]
    tasks.clean_up()
    assert files(export_directory) == []
    tasks.create_export(**export_messages[-1])
    assert owner.post(ready).status_code == 302
    assert owner.post(f"{PAGE}/{export_messages[-1]['export_id']}/download").status_code == 200


def test_a_message_delivered_twice_creates_one_export(
    owner: Client, ready: str, export_messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "write", lambda *_: 1 / 0)
    tasks.create_export(**export_messages[0])
    assert export_states("bondi") == ["ready"]
    assert len(mail.outbox) == 1


def test_every_owner_is_emailed_without_a_secret(
    force_login: Browsers, staff_member: Callable[..., User], export_messages: Messages
) -> None:
    owner = force_login("bondi", role="owner")
    staff_member("bondi", role="owner", email="second@clinic.example")
    staff_member("bondi", role="admin")
    staff_member("harbour", role="owner")
    owner.post(REQUEST)
    tasks.create_export(**export_messages[0])
    assert sorted(message.to[0] for message in mail.outbox) == ["owner@clinic.example", "second@clinic.example"]
    body = str(mail.outbox[0].body)
    assert "http://bondi.localhost:8000/settings/export\n" in body
    assert "owner@clinic.example requested" in body
    assert "Lindqvist" not in body


def test_an_export_is_ready_even_if_the_email_fails(
    owner: Client, export_messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.core.mail.EmailMessage.send", lambda *_: (_ for _ in ()).throw(OSError("no server")))
    owner.post(REQUEST)
    tasks.create_export(**export_messages[0])
    assert export_states("bondi") == ["ready"]


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [(OSError(errno.ENOSPC, "No space left on device"), "disk is full"), (KeyError("x"), "our side")],
)
def test_a_failed_export_says_why_leaves_no_file_and_can_be_requested_again(
    owner: Client,
    export_messages: Messages,
    export_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    sentence: str,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    owner.post(REQUEST)
    with monkeypatch.context() as patched:
        patched.setattr(archive.Packer, "add_table", fail)
        with pytest.raises(type(failure)):
            tasks.create_export(**export_messages[0])
    page = page_of(owner)
    assert sentence in page
    assert "Create a new export" in page
    assert (files(export_directory), mail.outbox) == ([], [])
    owner.post(REQUEST)
    tasks.create_export(**export_messages[1])
    assert export_states("bondi") == ["failed", "ready"]


def test_an_export_whose_worker_was_killed_has_failed_and_cannot_be_downloaded(
    owner: Client, bondi: Clinic, export_directory: Path
) -> None:
    owner.post(REQUEST)
    [export] = exports_of("bondi")
    path = storage.export_path(bondi.schema_name, export.pk)
    update_export(state="running", started_at=timezone.now() - timedelta(seconds=30))
    child = os.fork()
    if not child:
        with storage.write_atomically(path) as file:
            file.write(b"half of a file")
            file.flush()
            signal.pause()
    while not storage.draft_size(path):
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
    assert "14\xa0bytes so far" in page_of(owner)
    assert "already being created" in owner.post(REQUEST, follow=True).content.decode()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert "The server stopped while creating it" in page_of(owner)
    assert "no longer available" in owner.post(f"{PAGE}/{export.pk}/download", follow=True).content.decode()
    owner.post(REQUEST)
    assert export_states("bondi") == ["failed", "requested"]
    tasks.clean_up()
    assert files(export_directory) == []


def test_an_export_whose_message_was_lost_is_sent_again(
    owner: Client, export_messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_broker(**_: object) -> None:
        raise OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(tasks.create_export, "apply_async", no_broker)
        assert "Waiting to start" in owner.post(REQUEST, follow=True).content.decode()
    tasks.clean_up()
    assert export_messages == []
    update_export(requested_at=timezone.now() - timedelta(minutes=3))
    tasks.clean_up()
    tasks.create_export(**export_messages[0])
    assert export_states("bondi") == ["ready"]


def test_a_restored_request_does_not_block_a_new_one(owner: Client, bondi: Clinic, export_messages: Messages) -> None:
    owner.post(REQUEST)
    storage.delete_all(bondi.schema_name)  # a restored clinic has no directory, so clean_up skips it
    update_export(requested_at=timezone.now() - timedelta(hours=5))
    assert "Waiting to start" in page_of(owner)
    update_export(requested_at=timezone.now() - timedelta(hours=7))
    assert "It was never started." in page_of(owner)
    assert "Create a new export" in page_of(owner)
    owner.post(REQUEST)
    tasks.create_export(**export_messages[0])
    tasks.create_export(**export_messages[1])
    assert export_states("bondi") == ["failed", "ready"]


def test_an_unusable_export_directory_is_reported(owner: Client, export_directory: Path) -> None:
    export_directory.write_text("a file where a directory should be")
    assert "can&#x27;t store exports" in owner.post(REQUEST, follow=True).content.decode()
    assert exports_of("bondi") == []


def test_a_missing_file_is_reported(owner: Client, ready: str, bondi: Clinic) -> None:
    storage.delete_all(bondi.schema_name)
    assert "no longer available" in owner.post(ready, follow=True).content.decode()
    assert [(export.state, export.failure) for export in exports_of("bondi")] == [("failed", requests.FILE_MISSING)]


def test_a_closing_clinic_gets_its_export_and_a_suspended_one_does_not(
    owner: Client, bondi: Clinic, export_messages: Messages
) -> None:
    closing = {"state": Clinic.State.CLOSING, "closing_on": timezone.now().date() + timedelta(days=3)}
    Clinic.objects.filter(pk=bondi.pk).update(**closing)
    owner.post(REQUEST)
    Clinic.objects.filter(pk=bondi.pk).update(state=Clinic.State.SUSPENDED, closing_on=None)
    assert owner.get(PAGE).status_code == 404
    tasks.create_export(**export_messages[0])
    assert export_states("bondi") == ["requested"]
    Clinic.objects.filter(pk=bondi.pk).update(**closing)
    tasks.create_export(**export_messages[0])
    assert export_states("bondi") == ["ready"]


def test_the_page_polls_only_while_an_export_is_in_progress(owner: Client, export_messages: Messages) -> None:
    polling = 'hx-get="/settings/export/progress"'
    assert polling not in page_of(owner)
    owner.post(REQUEST)
    assert polling in page_of(owner)
    part = owner.get(f"{PAGE}/progress", headers={"HX-Request": "true"})
    assert polling in part.content.decode()
    assert "<html" not in part.content.decode()
    tasks.create_export(**export_messages[0])
    assert polling not in owner.get(f"{PAGE}/progress", headers={"HX-Request": "true"}).content.decode()
