"""An owner asks for an export, a worker makes it, and one owner fetches it once."""

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
from accounts.signals import CONFIRMED_AT
from audit.models import Event
from exports import archive, delete_all, requests, storage, tasks
from exports.models import Export
from tenants.context import clinic_context
from tenants.models import Clinic
from tests.exports.conftest import OpenedExport
from tests.launch.conftest import access_log

Browsers = Callable[..., Client]
Messages = list[dict[str, Any]]
PAGE, ASK = "/settings/export", "/settings/export/ask"
pytestmark = pytest.mark.usefixtures("furnished")


@pytest.fixture
def owner(force_login: Browsers) -> Client:
    return force_login("bondi", role="owner")


@pytest.fixture
def ready(owner: Client, export_messages: Messages) -> str:
    """The address of an export of bondi that waits to be fetched."""
    owner.post(ASK)
    tasks.make(**export_messages[-1])
    return f"{PAGE}/{export_messages[-1]['export_id']}/download"


def text_of(browser: Client) -> str:
    return browser.get(PAGE).content.decode()


def exports_of(label: str) -> list[Export]:
    with clinic_context(label):
        return list(Export.objects.order_by("pk"))


def change(**fields: Any) -> None:
    with clinic_context("bondi"):
        Export.objects.update(**fields)


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def some_time_ago(browser: Client, minutes: int = 6) -> None:
    """The browser's person signed in so long ago."""
    with clinic_context("bondi"):
        session = browser.session
        session[CONFIRMED_AT] = session[CONFIRMED_AT] - minutes * 60
        session.save()


def test_from_asking_to_the_file(
    owner: Client, bondi: Clinic, export_messages: Messages, tmp_path: Path, export_directory: Path
) -> None:
    assert "Make an export" in text_of(owner)
    assert owner.post(ASK)["Location"] == PAGE
    assert "waits for its turn" in text_of(owner)
    [export] = exports_of("bondi")
    assert export_messages == [{"schema_name": bondi.schema_name, "export_id": export.pk}]
    tasks.make(**export_messages[0])
    assert "Ready" in text_of(owner)
    answer = owner.post(f"{PAGE}/{export.pk}/download")
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Length"] == str(len(content))
    assert answer["Content-Disposition"].startswith('attachment; filename="sidechart-bondi-2')
    assert "no-store" in answer["Cache-Control"]
    path = tmp_path / "fetched.zip"
    path.write_bytes(content)
    opened = OpenedExport(path)
    assert len(opened.lines("patients")) == 2
    assert "harbour" not in opened.all_text()
    assert files(export_directory) == []
    assert "downloaded by <bdi>owner@clinic.example</bdi>" in text_of(owner)
    assert exports_of("harbour") == []


def test_asking_and_fetching_are_lines_of_the_log(owner: Client, ready: str) -> None:
    owner.post(ready)
    lines = [line for line in access_log("bondi") if line[1] == "exported"]
    assert lines == [("owner@clinic.example", "exported", "")] * 2
    with clinic_context("bondi"):
        details = [event.details for event in Event.objects.filter(action="exported").order_by("pk")]
    assert details == [{"what": "clinic", "step": "asked for"}, {"what": "clinic", "step": "downloaded"}]
    assert access_log("harbour") == []


def test_where_the_log_cannot_be_written_nothing_is_asked_for_or_given(
    owner: Client, ready: str, monkeypatch: pytest.MonkeyPatch, export_directory: Path, export_messages: Messages
) -> None:
    def broken(**_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Event.objects, "create", broken)
    assert owner.post(ready).status_code == 503
    assert owner.post(ASK).status_code == 503
    assert [export.state for export in exports_of("bondi")] == ["ready"]
    assert len(files(export_directory)) == len(export_messages) == 1


def test_it_is_given_once(owner: Client, ready: str) -> None:
    assert owner.post(ready).status_code == 200
    answer = owner.post(ready, follow=True)
    assert "no longer there" in answer.content.decode()
    assert len([line for line in access_log("bondi") if line[1] == "exported"]) == 2


def test_of_two_who_fetch_at_once_one_gets_it(
    ready: str, staff_member: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one is done while the first one has just opened the file."""
    robin = staff_member("bondi", role="owner")
    opened = Path.open
    got: list[bytes] = []

    def open_then(path: Path, *words: Any) -> Any:
        file = opened(path, *words)
        if not got:
            got.append(b"")
            with requests.download(exports[0].pk, by=robin) as second:
                got.append(second.read(2))
        return file

    with clinic_context("bondi"):
        exports = list(Export.objects.all())
        monkeypatch.setattr(Path, "open", open_then)
        with pytest.raises(requests.ExportUnavailable):
            requests.download(exports[0].pk, by=robin)
    assert got == [b"", b"PK"]


def test_another_owner_of_the_clinic_may_fetch_it(owner: Client, ready: str, force_login: Browsers) -> None:
    other = force_login("bondi", role="owner", email="second@clinic.example")
    assert other.post(ready).status_code == 200
    assert exports_of("bondi")[0].fetched_by == "second@clinic.example"


@pytest.mark.parametrize("role", [role.value for role in Role if role != Role.OWNER])
def test_nobody_but_owners_sees_asks_or_fetches(ready: str, force_login: Browsers, role: str) -> None:
    browser = force_login("bondi", role=role)
    answers = [browser.get(PAGE), browser.get(f"{PAGE}/progress"), browser.post(ASK), browser.post(ready)]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert [export.state for export in exports_of("bondi")] == ["ready"]
    if role == Role.ADMIN:
        assert PAGE not in browser.get("/settings/").content.decode()


def test_an_owner_of_another_clinic_gets_nothing(ready: str, force_login: Browsers, clinic_client: Browsers) -> None:
    stranger = force_login("harbour", role="owner")
    assert "no longer there" in stranger.post(ready, follow=True).content.decode()
    assert "Make an export" in text_of(stranger)
    answer = stranger.post(ready, headers={"Host": "bondi.localhost"})
    assert answer["Location"].startswith("/login")
    assert clinic_client("bondi").post(ready)["Location"].startswith("/login")
    assert [export.state for export in exports_of("bondi")] == ["ready"]


def test_an_owner_no_longer_is_refused(owner: Client, ready: str) -> None:
    with clinic_context("bondi"):
        User.objects.filter(role="owner").update(role="admin")
    assert owner.post(ready).status_code == 403


def test_who_signed_in_a_while_ago_confirms_first_and_lands_on_the_page(owner: Client, ready: str) -> None:
    some_time_ago(owner)
    for address in (ASK, ready):
        answer = owner.post(address, headers={"Referer": f"http://bondi.localhost:8000{PAGE}"})
        assert answer["Location"].startswith("/account/confirm?t=")
        assert PAGE not in answer["Location"]
    assert [export.state for export in exports_of("bondi")] == ["ready"]
    assert owner.get(PAGE).status_code == 200


def test_it_expires_after_seven_days(owner: Client, ready: str, export_directory: Path) -> None:
    [export] = exports_of("bondi")
    assert export.finished_at
    assert export.expires_at == export.finished_at + timedelta(days=7)
    tasks.clean_up()
    assert len(files(export_directory)) == 1
    change(expires_at=timezone.now() - timedelta(seconds=1))
    assert "was not downloaded within 7 days" in text_of(owner)
    assert "no longer there" in owner.post(ready, follow=True).content.decode()
    tasks.clean_up()
    assert list(export_directory.iterdir()) == []
    assert [export.state for export in exports_of("bondi")] == ["expired"]


def test_while_one_is_being_made_another_is_not(owner: Client, export_messages: Messages) -> None:
    owner.post(ASK)
    assert "being made already" in owner.post(ASK, follow=True).content.decode()
    assert len(exports_of("bondi")) == len(export_messages) == 1


def test_a_new_one_ends_the_one_that_nobody_fetched(
    owner: Client, ready: str, export_messages: Messages, export_directory: Path
) -> None:
    owner.post(ASK)
    assert [export.state for export in exports_of("bondi")] == ["expired", "asked"]
    tasks.clean_up()
    assert files(export_directory) == []
    tasks.make(**export_messages[-1])
    assert owner.post(ready).status_code == 302
    assert owner.post(f"{PAGE}/{export_messages[-1]['export_id']}/download").status_code == 200


def test_a_message_that_comes_twice_makes_one(
    owner: Client, ready: str, export_messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "write", lambda *_: 1 / 0)
    tasks.make(**export_messages[0])
    assert [export.state for export in exports_of("bondi")] == ["ready"]
    assert len(mail.outbox) == 1


def test_every_owner_is_mailed_without_a_secret(
    force_login: Browsers, staff_member: Callable[..., User], export_messages: Messages
) -> None:
    owner = force_login("bondi", role="owner")
    staff_member("bondi", role="owner", email="second@clinic.example")
    staff_member("bondi", role="admin")
    staff_member("harbour", role="owner")
    owner.post(ASK)
    tasks.make(**export_messages[0])
    assert sorted(message.to[0] for message in mail.outbox) == ["owner@clinic.example", "second@clinic.example"]
    body = str(mail.outbox[0].body)
    assert "http://bondi.localhost:8000/settings/export\n" in body
    assert "owner@clinic.example asked" in body
    assert "Lindqvist" not in body


def test_a_mail_server_that_fails_keeps_nobody_from_it(
    owner: Client, export_messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.core.mail.EmailMessage.send", lambda *_: (_ for _ in ()).throw(OSError("no server")))
    owner.post(ASK)
    tasks.make(**export_messages[0])
    assert [export.state for export in exports_of("bondi")] == ["ready"]


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [(OSError(errno.ENOSPC, "No space left on device"), "no room for it on our disk"), (KeyError("x"), "our side")],
)
def test_one_that_fails_says_so_leaves_nothing_and_can_be_asked_for_again(
    owner: Client,
    export_messages: Messages,
    export_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    sentence: str,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    owner.post(ASK)
    with monkeypatch.context() as patched:
        patched.setattr(archive.Packer, "table", fail)
        with pytest.raises(type(failure)):
            tasks.make(**export_messages[0])
    page = text_of(owner)
    assert sentence in page
    assert "Make a new one" in page
    assert (files(export_directory), mail.outbox) == ([], [])
    owner.post(ASK)
    tasks.make(**export_messages[1])
    assert [export.state for export in exports_of("bondi")] == ["failed", "ready"]


def test_a_maker_that_is_killed_shows_as_failed_and_leaves_nothing_to_fetch(
    owner: Client, bondi: Clinic, export_directory: Path
) -> None:
    owner.post(ASK)
    [export] = exports_of("bondi")
    path = storage.export_path(bondi.schema_name, export.pk)
    change(state="being_made", started_at=timezone.now() - timedelta(seconds=30))
    child = os.fork()
    if not child:
        with storage.write_atomically(path) as file:
            file.write(b"half of a file")
            file.flush()
            signal.pause()
    while not storage.draft_size(path):
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
    assert "14\xa0bytes so far" in text_of(owner)
    assert "being made already" in owner.post(ASK, follow=True).content.decode()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert "The program that made it was stopped" in text_of(owner)
    assert "no longer there" in owner.post(f"{PAGE}/{export.pk}/download", follow=True).content.decode()
    owner.post(ASK)
    assert [export.state for export in exports_of("bondi")] == ["failed", "asked"]
    tasks.clean_up()
    assert files(export_directory) == []


def test_one_whose_message_was_lost_is_made_all_the_same(
    owner: Client, export_messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_broker(**_: object) -> None:
        raise OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(tasks.make, "apply_async", no_broker)
        assert "waits for its turn" in owner.post(ASK, follow=True).content.decode()
    tasks.clean_up()
    assert export_messages == []
    change(asked_at=timezone.now() - timedelta(minutes=3))
    tasks.clean_up()
    tasks.make(**export_messages[0])
    assert [export.state for export in exports_of("bondi")] == ["ready"]


def test_one_that_came_back_with_a_backup_keeps_no_other_from_being_made(
    owner: Client, bondi: Clinic, export_messages: Messages
) -> None:
    owner.post(ASK)
    delete_all(bondi.schema_name)  # a restored clinic has no folder, and nobody looks after it
    change(asked_at=timezone.now() - timedelta(hours=5))
    assert "waits for its turn" in text_of(owner)
    change(asked_at=timezone.now() - timedelta(hours=7))
    assert "Nobody began to make it." in text_of(owner)
    assert "Make a new one" in text_of(owner)
    owner.post(ASK)
    tasks.make(**export_messages[0])
    tasks.make(**export_messages[1])
    assert [export.state for export in exports_of("bondi")] == ["failed", "ready"]


def test_no_place_for_files_is_told(owner: Client, export_directory: Path) -> None:
    export_directory.write_text("a file where a folder should be")
    assert "no place for an export" in owner.post(ASK, follow=True).content.decode()
    assert exports_of("bondi") == []


def test_a_file_that_is_gone_is_told(owner: Client, ready: str, bondi: Clinic) -> None:
    delete_all(bondi.schema_name)
    assert "no longer there" in owner.post(ready, follow=True).content.decode()
    assert [(export.state, export.failure) for export in exports_of("bondi")] == [("failed", requests.FILE_MISSING)]


def test_a_clinic_that_closes_gets_its_export_and_a_suspended_one_does_not(
    owner: Client, bondi: Clinic, export_messages: Messages
) -> None:
    closing = {"state": Clinic.State.CLOSING, "closing_on": timezone.now().date() + timedelta(days=3)}
    Clinic.objects.filter(pk=bondi.pk).update(**closing)
    owner.post(ASK)
    Clinic.objects.filter(pk=bondi.pk).update(state=Clinic.State.SUSPENDED, closing_on=None)
    assert owner.get(PAGE).status_code == 404
    tasks.make(**export_messages[0])
    assert [export.state for export in exports_of("bondi")] == ["asked"]
    Clinic.objects.filter(pk=bondi.pk).update(**closing)
    tasks.make(**export_messages[0])
    assert [export.state for export in exports_of("bondi")] == ["ready"]


def test_the_page_asks_for_itself_only_while_one_is_being_made_and_keeps_no_session_open(
    owner: Client, export_messages: Messages
) -> None:
    asks = 'hx-get="/settings/export/progress"'
    assert asks not in text_of(owner)
    owner.post(ASK)
    assert asks in text_of(owner)
    part = owner.get(f"{PAGE}/progress", headers={"HX-Request": "true"})
    assert asks in part.content.decode()
    assert "<html" not in part.content.decode()
    tasks.make(**export_messages[0])
    assert asks not in owner.get(f"{PAGE}/progress", headers={"HX-Request": "true"}).content.decode()
