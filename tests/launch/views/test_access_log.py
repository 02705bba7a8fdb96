"""The access log of the clinic and of a patient, for owners and admins."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.log import Action, record
from audit.models import Event
from sync.models import Connection
from tenants.context import clinic_context
from tests.audit.tampering import update_events
from tests.launch.conftest import access_log
from tests.launch.views.test_patient import merged_into

Browsers = Callable[..., Client]
PAGES = ["/settings/access", "/patients/42/access"]


@pytest.fixture
def owner(two_clinics: None, force_login: Browsers) -> Client:
    """Bondi's owner, after a receptionist opened patient 42 at both clinics and a clinician searched at bondi."""
    for label in ("bondi", "harbour"):
        force_login(label).get("/patients/42/")
    force_login("bondi", role="clinician").post("/search", {"text": "ada"})
    return force_login("bondi", role="owner")


def page_of(browser: Client, address: str) -> str:
    return browser.get(address).content.decode()


def rows_of(browser: Client, address: str, **chosen: str) -> list[list[str]]:
    response = browser.post(address + "/csv", chosen)
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(text)))


def test_it_shows_who_opened_the_patient_and_when(owner: Client) -> None:
    page = page_of(owner, "/patients/42/access")
    assert "Who has viewed this record" in page
    assert "Ada Lindqvist" in page
    assert "reception@clinic.example" in page
    assert "viewed this patient" in page
    assert page.count("<tr>") == 3  # headings, the view, and this view of the log
    assert "Okoro" not in page


def test_the_clinics_log_has_everything_newest_first(owner: Client) -> None:
    page = page_of(owner, "/settings/access")
    places = [page.index(f'log__what">{words}') for words in ("viewed the access log", "searched", "viewed <")]
    assert places == sorted(places)
    assert 'href="/patients/42/access"' in page


def test_each_entry_reads_as_a_sentence_with_and_without_a_patient(owner: Client) -> None:
    with clinic_context("bondi"):
        user = User.objects.get(role="owner")
        for action in (Action.DENIED, Action.EXPORTED, Action.LOG_READ, Action.NOTE_WRITTEN, Action.OPS_ACCESS):
            record(action, by=user)
            record(action, by=user, patient_id="42")
    page = page_of(owner, "/settings/access")
    for label, phrase in (
        ("was denied access", "was denied access to"),
        ("exported data", "exported data of"),
        ("viewed the access log", "viewed the access log of"),
        ("wrote a note", "wrote a note on"),
        ("accessed the clinic", "accessed the clinic and the record of"),
    ):
        assert f'log__what">{label}</td>' in page
        assert f'log__what">{phrase} <a' in page
    assert "was denied access to this patient" in page_of(owner, "/patients/42/access")


@pytest.mark.parametrize("address", PAGES)
def test_viewing_it_writes_an_entry(owner: Client, address: str) -> None:
    before = access_log("bondi")
    owner.get(address)
    patient_id = "42" if "42" in address else ""
    assert access_log("bondi") == [*before, ("owner@clinic.example", "log_read", patient_id)]


@pytest.mark.parametrize("address", [*PAGES, "/patients/42/access/csv", "/settings/access/csv"])
@pytest.mark.parametrize("role", ["clinician", "reception", "readonly"])
def test_other_roles_are_refused_with_an_entry(owner: Client, force_login: Browsers, address: str, role: str) -> None:
    browser = force_login("bondi", role=role)
    response = browser.post(address) if address.endswith("csv") else browser.get(address)
    assert response.status_code == 403
    patient_id = "42" if "42" in address else ""
    assert access_log("bondi")[-1] == (f"{role}@clinic.example", "denied", patient_id)


@pytest.mark.parametrize(("role", "offered"), [("owner", True), ("admin", True), ("reception", False)])
def test_the_patient_screen_links_to_it_for_owners_and_admins(
    owner: Client, force_login: Browsers, role: str, offered: bool
) -> None:
    assert ("/patients/42/access" in page_of(force_login("bondi", role=role), "/patients/42/")) is offered


@pytest.mark.parametrize("address", [*PAGES, "/patients/42/access/csv"])
def test_it_is_not_shown_when_its_entry_cannot_be_written(
    owner: Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Event.objects, "create", broken)
    response = owner.post(address) if address.endswith("csv") else owner.get(address)
    assert response.status_code == 503
    assert "reception@clinic.example" not in response.content.decode()


@pytest.mark.parametrize(
    ("chosen", "actions"),
    [
        ({"action": "viewed"}, ["viewed"]),
        ({"person": "clinician"}, ["searched"]),
        ({"person": "ops"}, ["ops_access"]),
        ({"person": "clinician", "action": "viewed"}, []),
    ],
)
def test_filters_apply_to_page_and_csv(
    owner: Client, staff_member: Callable[..., User], chosen: dict[str, str], actions: list[str]
) -> None:
    clinician = staff_member("bondi", "clinician")
    with clinic_context("bondi"):
        record(Action.OPS_ACCESS, by=User(email="ops@sidechart.example"))
    if chosen.get("person") == "clinician":
        chosen = chosen | {"person": str(clinician.pk)}
    rows = rows_of(owner, "/settings/access", **chosen)[1:]
    shown = owner.get("/settings/access", chosen).content.decode()
    assert [row[3] for row in rows] == [Action(action).label for action in actions]
    assert shown.count("log__what") == len(actions)


def test_days_are_in_the_clinics_time_zone(owner: Client) -> None:
    with clinic_context("bondi"):
        update_events(occurred_at="2024-03-02T13:30:00Z")  # half past midnight on the third, in Sydney
    for since, until, count in (("2024-03-03", "2024-03-03", 2), ("2024-03-02", "2024-03-02", 0)):
        assert len(rows_of(owner, "/settings/access", since=since, until=until)) - 1 == count
    assert "Sun 3 Mar 2024, 12:30 am" in page_of(owner, "/settings/access?until=2024-03-03")
    assert rows_of(owner, "/settings/access", action="viewed")[1][1] == "2024-03-03 00:30:00+11:00"


@pytest.mark.parametrize("chosen", [{"since": "soon"}, {"until": "9999-12-31"}, {"person": "0"}, {"action": "x"}])
def test_an_invalid_filter_shows_no_entry(owner: Client, chosen: dict[str, str]) -> None:
    response = owner.get("/settings/access", chosen)
    assert response.status_code == 422
    assert "log__what" not in response.content.decode()
    assert owner.post("/settings/access/csv", chosen).status_code == 422


@pytest.mark.parametrize("before", ["0", "-1", "x", "9" * 30, "٣"])
def test_an_invalid_page_number_is_harmless(owner: Client, before: str) -> None:
    assert owner.get("/settings/access", {"before": before}).status_code == 200


def test_pages_of_a_hundred_link_to_older_ones(owner: Client, staff_member: Callable[..., User]) -> None:
    robin = staff_member("bondi")
    with clinic_context("bondi"):
        for _ in range(148):
            record(Action.SEARCHED, by=robin)
    first = page_of(owner, "/settings/access?action=searched")
    assert first.count("log__what") == 100
    older = first.rpartition('href="?')[2].partition('"')[0].replace("&amp;", "&")
    assert "action=searched" in older
    second = page_of(owner, f"/settings/access?{older}")
    assert second.count("log__what") == 49
    assert "Older</a>" not in second


def test_entries_about_a_merged_patient_are_on_the_survivors_page(
    owner: Client, add_patient: Callable[..., str], staff_member: Callable[..., User]
) -> None:
    add_patient("bondi", "43", first_name="Ada", **merged_into("42"))
    robin = staff_member("bondi", email="robin@clinic.example")
    with clinic_context("bondi"):
        record(Action.VIEWED, by=robin, patient_id="43")
        record(Action.VIEWED, by=robin, patient_id="44")
    assert owner.get("/patients/43/access")["Location"] == "/patients/42/access"
    page = page_of(owner, "/patients/42/access")
    assert page.count("robin@clinic.example</bdi>") == 1
    for address in ("/patients/42/access", "/patients/43/access"):
        assert [row[4] for row in rows_of(owner, address, action="viewed")[1:]] == ["43", "42"]
    with clinic_context("bondi"):
        assert set(Event.objects.filter(action=Action.EXPORTED).values_list("patient_id", flat=True)) == {"42"}


def test_entries_from_the_former_account_are_about_other_people(owner: Client) -> None:
    with clinic_context("bondi"):
        Connection.objects.update(account_since=timezone.now() + timedelta(minutes=1))
    assert "viewed this patient" not in page_of(owner, "/patients/42/access").partition("<tbody>")[2]
    clinics = page_of(owner, "/settings/access").partition("<tbody>")[2]
    assert "viewed <span" in clinics
    assert "Lindqvist" not in clinics


def test_an_unknown_patient_has_no_page(owner: Client) -> None:
    assert owner.get("/patients/77/access").status_code == 404
    assert access_log("bondi")[-1] == ("owner@clinic.example", "not_found", "77")


def test_a_prefetch_gets_nothing(owner: Client) -> None:
    before = access_log("bondi")
    for address in PAGES:
        assert owner.get(address, headers={"Sec-Purpose": "prefetch"}).status_code == 403
    assert access_log("bondi") == before


def test_the_csv_has_every_entry_and_writes_its_own(
    owner: Client, staff_member: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launch.access_log.BATCH_SIZE", 2)
    for _ in range(3):
        owner.get("/patients/42/access")
    response = owner.post("/patients/42/access/csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["Content-Disposition"]
    assert "42" not in response["Content-Disposition"]
    assert access_log("bondi")[-1] == ("owner@clinic.example", "exported", "42")
    rows = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))  # type: ignore[attr-defined]
    assert [row[3] for row in rows[1:]] == ["exported data", *["viewed the access log"] * 3, "viewed a patient"]
    assert rows[1][5] == "file: access log"
    assert {row[4] for row in rows[1:]} == {"42"}


@pytest.mark.parametrize("start", list("=+-@\t\r"))
def test_no_csv_cell_is_a_formula(owner: Client, start: str) -> None:
    with clinic_context("bondi"):
        record(Action.ROLE_CHANGED, by=User(email=f"{start}1+1@clinic.example"))
    rows = rows_of(owner, "/settings/access")
    assert [row[2] for row in rows if "1+1" in row[2]] == [f"'{start}1+1@clinic.example"]
    assert not [cell for row in rows for cell in row if cell.startswith(start)]


def test_markup_in_an_entry_is_inert(owner: Client) -> None:
    with clinic_context("bondi"):
        record(Action.INVITED, by=User(email="<b>x</b>@a.example"), person="<script>alert(1)</script>")
    page = page_of(owner, "/settings/access")
    assert "<b>x" not in page
    assert "<script>alert" not in page
