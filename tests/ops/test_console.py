"""The console: how clinics stand, from public alone, and what ops do with them. Nothing of a patient anywhere."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Invitation, User
from audit.log import Action, NotRecorded, record
from audit.models import Event
from ops import numbers
from ops.console.actions import BULK
from ops.console.listing import ClinicAdmin
from ops.console.site import site
from ops.models import ClinicDay
from ops.tasks import measure_clinic
from sync.models import Connection, Cursor, RefusedPayload
from tenants.context import clinic_context, current_clinic
from tenants.database import connection
from tenants.models import Clinic, Domain
from tests.statements import questions

Browsers = Callable[..., Client]
TOMORROW_NOON = (timezone.now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
CANARY = ("Zephyrine", "Quackenbush", "zephyrine@patients.example")


def text(answer: Any) -> str:
    return str(answer.content.decode())


def column(name: str) -> int:
    """The number of a column of the list, as the address orders by it; the boxes to choose by are the first."""
    return ClinicAdmin.list_display.index(name) + 1


def lines_of(label: str) -> list[tuple[str, int | None, str, dict[str, Any]]]:
    with clinic_context(label):
        return [(e.action, e.user_id, e.user_email, e.details) for e in Event.objects.order_by("pk")]


def many_clinics(count: int) -> None:
    made = Clinic.objects.bulk_create(
        Clinic(label=f"clinic-{number:04}", name=f"Clinic {number}", sync_state="ok", checked_at=timezone.now())
        for number in range(count)
    )
    Domain.objects.bulk_create(Domain(domain=each.label, tenant=each) for each in made)
    today = timezone.now().date()
    ClinicDay.objects.bulk_create(
        ClinicDay(clinic=each, day=today - timedelta(days=ago), launches=1, patients=10, lag_by_hour=[30] * 24)
        for each in made
        for ago in range(3)
    )


@pytest.fixture
def canary(bondi: Clinic, add_patient: Callable[..., str], mirrored: Callable[[str], None], sign_in: Browsers) -> None:
    """A patient of bondi whose name is nobody else's: opened, and with a record that could not be read."""
    add_patient("bondi", "42", first_name=CANARY[0], last_name=CANARY[1], email=CANARY[2])
    mirrored("bondi")
    assert sign_in("bondi").get("/patients?patient_id=42", follow=True).status_code == 200
    with clinic_context("bondi"):
        RefusedPayload.objects.create(
            resource="patients",
            cliniko_id="43",
            patient_id="43",
            payload=f'{{"first_name": "{CANARY[0]}", "last_name": "{CANARY[1]}"}}',
            reason="date_of_birth is not a time.",
        )
    numbers.measure(bondi, now=timezone.now())


def test_the_list_shows_how_each_clinic_stands(ops_browser: Browsers, canary: None, harbour: Clinic) -> None:
    now = timezone.now()
    Clinic.objects.filter(label="bondi").update(sync_state="key_invalid", checked_at=now - timedelta(hours=3))
    Clinic.objects.filter(label="harbour").update(sync_state="paused", key_state="forbidden")
    page = text(ops_browser().get("/ops/"))
    assert page.index("Bondi Physio") < page.index("Harbour Osteopathy")
    assert "key invalid" in page
    assert "forbidden" in page
    assert 'class="late">3 h<' in page
    assert f"{now - timedelta(hours=3):%-d %b, %H:%M}<" in page
    assert "no copy yet" in page


def test_the_list_is_narrowed_and_ordered(ops_browser: Browsers, bondi: Clinic, harbour: Clinic) -> None:
    Clinic.objects.filter(label="harbour").update(state="suspended", sync_state="unreachable")
    Clinic.objects.filter(label="bondi").update(sync_state="unreachable", key_state="invalid")
    browser = ops_browser()

    def found(query: str) -> list[str]:
        page = text(browser.get(f"/ops/?{query}", follow=True))
        places = {label: page.find(f"/ops/clinics/{label}/") for label in ("bondi", "harbour")}
        return sorted((label for label, place in places.items() if place > 0), key=places.__getitem__)

    assert found("") == ["bondi", "harbour"]
    assert found("q=OSTEO") == ["harbour"]
    assert found("state=suspended") == ["harbour"]
    assert found("copy=trouble") == ["bondi"]
    assert found("key=invalid") == ["bondi"]
    assert found("key=missing") == ["harbour"]
    for nonsense in (
        "state=nonsense",
        "state=purged",
        "o=nonsense",
        "p=x",
        "p=99",
        "nonsense=1",
        "key=x",
        "all=",
        "e=1",
    ):
        assert sorted(found(nonsense)) == ["bondi", "harbour"]
    ClinicDay.objects.create(clinic=harbour, day=timezone.now().date(), launches=3, patients=9, lag_by_hour=[None] * 24)
    opened, patients = (column(name) for name in ("opened", "patients"))
    assert found(f"o=-{opened}") == found(f"o=-{patients}") == ["harbour", "bondi"]
    assert "No clinic like that" in text(browser.get("/ops/?q=nothing"))


@pytest.mark.parametrize(
    "asked",
    ["state_reason__startswith=x", "label__regex=(", "created_at__year=99999", "days=1", "schema_name=x", "q=%00"],
)
def test_the_address_asks_for_nothing_that_the_page_does_not_offer(
    ops_browser: Browsers, bondi: Clinic, asked: str
) -> None:
    answer = ops_browser().get(f"/ops/?{asked}")
    assert answer.status_code == 200
    assert "/ops/clinics/bondi/" in text(answer) or asked.startswith("q=")


def test_without_a_clinic_the_list_says_what_to_do(ops_browser: Browsers, bondi: Clinic, harbour: Clinic) -> None:
    Clinic.objects.update(state="purged")
    assert "No clinic yet" in text(ops_browser().get("/ops/"))


def test_a_list_of_a_thousand_asks_the_database_as_often_as_one_of_two_and_enters_no_clinic(
    ops_browser: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    browser = ops_browser()
    browser.get("/ops/")

    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get("/ops/?p=1").status_code == 200
        assert not [each for each in caught if "search_path" in each["sql"] and "clinic_" in each["sql"]]
        return questions(caught)

    few = statements()
    many_clinics(1000)
    many = statements()
    assert len(many) == len(few) <= 11


def test_fifty_stand_on_a_page_and_the_rest_behind_it(ops_browser: Browsers, bondi: Clinic) -> None:
    many_clinics(60)
    browser = ops_browser()
    first, second = text(browser.get("/ops/?q=clinic-")), text(browser.get("/ops/?q=clinic-&p=2"))
    assert first.count('name="_selected_action"') == 50
    assert second.count('name="_selected_action"') == 10
    assert "?p=2&amp;q=clinic-" in first


def test_a_page_past_the_end_is_the_last_one_and_stays_narrowed(ops_browser: Browsers, bondi: Clinic) -> None:
    many_clinics(60)
    browser, past = ops_browser(), "/ops/?p=99&q=clinic-"
    page = text(browser.get(past))
    assert page.count('name="_selected_action"') == 10
    assert "/ops/clinics/bondi/" not in page
    ticked = Clinic.objects.get(label="clinic-0059")
    assert browser.post(past, chosen("suspend", ticked, bondi))["Location"] == "/ops/do/suspend?clinic=clinic-0059"


OF_BONDI = ["/ops/clinics/bondi/", "/ops/clinics/bondi/invite", "/ops/do/compare?clinic=bondi"]
PAGES = ["/ops/", "/ops/log", "/ops/new", *OF_BONDI]


@pytest.mark.parametrize("path", PAGES)
def test_nothing_of_a_patient_is_on_a_page_of_the_console(ops_browser: Browsers, canary: None, path: str) -> None:
    answer = ops_browser().get(path)
    assert answer.status_code == 200
    for word in (*CANARY, ">42<", ">43<"):
        assert word not in text(answer)


def test_a_clinics_page_counts_what_could_not_be_read_and_says_why(ops_browser: Browsers, canary: None) -> None:
    page = text(ops_browser().get("/ops/clinics/bondi/"))
    assert "patients: date_of_birth is not a time." in page
    assert "Patients opened by day" in page
    assert "http://bondi.localhost:8000/patients" in page


@pytest.mark.parametrize("path", ["/ops/clinics/nobody/", "/ops/clinics/nobody/invite", "/ops/do/nothing?clinic=bondi"])
def test_what_is_not_there_is_not_found(ops_browser: Browsers, bondi: Clinic, path: str) -> None:
    assert ops_browser().get(path).status_code == 404


# --- What ops do -----------------------------------------------------------------------------------------------------


def test_a_new_clinic_is_made_whole_and_its_owner_invited(ops_browser: Browsers) -> None:
    form = {"name": "Coast Physio", "label": "coast", "owner_email": "owner@coast.example"}
    answer = ops_browser("ana").post("/ops/new", form)
    assert answer["Location"] == "/ops/clinics/coast/"
    assert mail.outbox[0].to == ["owner@coast.example"]
    said = {"whom": "owner@coast.example", "role": "owner"}
    assert lines_of("coast") == [("invited", None, "ops (ana@sidechart.example)", said)]
    line = Event.objects.get(action=Action.INVITED)
    assert (line.user_email, line.details) == ("ana@sidechart.example", said | {"new_clinic": "coast"})


def test_the_page_for_a_new_clinic_has_what_cliniko_is_to_approve_for_all(ops_browser: Browsers, settings: Any) -> None:
    settings.BASE_DOMAIN, settings.PUBLIC_SCHEME, settings.PUBLIC_PORT = "sidechart.example", "https", ""
    settings.CLINIKO_APP_NAME = "Bedside"
    settings.ALLOWED_HOSTS = ["*"]
    shown = text(ops_browser().get("/ops/new", headers={"host": "sidechart.example"}))
    assert "app Bedside, for every account: https://*.sidechart.example/patients (the *" in shown


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"label": "bondi"}, "is taken"),
        ({"label": "admin"}, "is reserved"),
        ({"label": "Not A Label"}, "cannot be a subdomain"),
        ({"owner_email": "nobody"}, "valid email"),
        ({"name": ""}, "required"),
    ],
)
def test_a_clinic_that_cannot_be_is_refused_with_a_sentence_and_leaves_nothing(
    ops_browser: Browsers, bondi: Clinic, changed: dict[str, str], said: str
) -> None:
    before = Clinic.objects.count()
    form = {"name": "Coast Physio", "label": "coast", "owner_email": "owner@coast.example"} | changed
    answer = ops_browser().post("/ops/new", form)
    assert answer.status_code == 422
    assert said in text(answer)
    assert (Clinic.objects.count(), Event.objects.count(), mail.outbox) == (before, 0, [])


def test_a_clinic_that_is_made_twice_is_there_once_and_its_owner_is_mailed_once(ops_browser: Browsers) -> None:
    form = {"name": "Coast Physio", "label": "coast", "owner_email": "owner@coast.example"}
    browser = ops_browser("ana")
    browser.post("/ops/new", form)
    again = browser.post("/ops/new", form)
    assert again.status_code == 422
    assert "coast is there already, and owner@coast.example was invited" in text(again)
    assert (len(mail.outbox), Event.objects.count()) == (1, 1)


def test_staff_are_invited_and_both_logs_say_who_did_it(ops_browser: Browsers, bondi: Clinic) -> None:
    invited = {"email": "new@clinic.example", "role": "admin"}
    assert ops_browser("ben").post("/ops/clinics/bondi/invite", invited)["Location"] == "/ops/clinics/bondi/"
    with clinic_context("bondi"):
        assert Invitation.objects.get().role == "admin"
    assert lines_of("bondi")[0][2] == "ops (ben@sidechart.example)"
    assert Event.objects.get().details["clinic"] == "bondi"


def test_whoever_is_staff_already_is_not_invited(ops_browser: Browsers, staff_of: Callable[..., User]) -> None:
    person = staff_of("bondi")
    answer = ops_browser().post("/ops/clinics/bondi/invite", {"email": person.email, "role": "admin"})
    assert "already has an account" in text(answer)
    assert not Event.objects.exists()


def test_an_invitation_that_could_not_be_mailed_is_shown_to_be_handed_over(
    ops_browser: Browsers, bondi: Clinic, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    answer = ops_browser().post("/ops/clinics/bondi/invite", {"email": "new@clinic.example", "role": "owner"})
    assert "http://bondi.localhost:8000/invite/" in text(answer)


def chosen(action: str, *clinics: Clinic) -> dict[str, Any]:
    """As the list's form sends it."""
    return {"action": action, "index": "0", "_selected_action": [str(each.pk) for each in clinics]}


def test_those_chosen_in_the_list_are_led_to_the_page_that_says_what_will_happen(
    ops_browser: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    browser = ops_browser()
    assert browser.post("/ops/", chosen("suspend", harbour, bondi))["Location"] == (
        "/ops/do/suspend?clinic=bondi&clinic=harbour"
    )
    narrowed = browser.post("/ops/?q=bondi", chosen("suspend", harbour, bondi))
    assert narrowed["Location"] == "/ops/do/suspend?clinic=bondi"  # what the list did not show is not chosen
    all_of_it = browser.post("/ops/", chosen("suspend", bondi) | {"select_across": "1"})
    assert all_of_it["Location"] == "/ops/do/suspend?clinic=bondi"
    assert Clinic.objects.filter(state="active").count() == 2
    assert not Event.objects.exists()


@pytest.mark.parametrize("action", ["", "nothing", "rename", "delete_selected"])
def test_the_list_does_nothing_that_it_does_not_offer(ops_browser: Browsers, bondi: Clinic, action: str) -> None:
    answer = ops_browser().post("/ops/", chosen(action, bondi))
    assert (answer.status_code, answer["Location"]) == (302, "/ops/")
    assert Clinic.objects.filter(label="bondi", state="active").exists()


def test_with_nobody_chosen_the_list_says_so(ops_browser: Browsers, bondi: Clinic) -> None:
    answer = ops_browser().post("/ops/", chosen("suspend"), follow=True)
    assert "Items must be selected" in text(answer)


@pytest.mark.parametrize("ticked", ["x", "bondi", "\x00", "9" * 30])
def test_what_is_no_number_is_not_ticked(ops_browser: Browsers, bondi: Clinic, ticked: str) -> None:
    form = {"action": "suspend", "index": "0", "_selected_action": ticked}
    assert ops_browser().post("/ops/", form).status_code == 400


def test_each_box_and_button_of_the_list_says_what_it_is_for(ops_browser: Browsers, bondi: Clinic) -> None:
    page = text(ops_browser().get("/ops/"))
    assert 'aria-label="Choose bondi"' in page
    assert re.findall(r'name="action" value="(\w+)"', page) == [action.name for action in BULK]
    assert page.count('aria-sort="ascending"') == 1


def test_the_admin_keeps_no_log_of_its_own_and_adds_and_changes_nothing(
    ops_browser: Browsers, bondi: Clinic, rf: RequestFactory
) -> None:
    ops_browser().post("/ops/", chosen("suspend", bondi), follow=True)
    assert not LogEntry.objects.exists()
    admin = site.get_model_admin(Clinic)
    request = rf.get("/ops/")
    assert not admin.has_add_permission(request)
    assert not admin.has_change_permission(request, bondi)
    assert not admin.has_delete_permission(request, bondi)
    assert not admin.has_view_permission(request)  # nobody of ops


def test_what_would_happen_is_said_first_and_done_on_the_second_click(
    ops_browser: Browsers, mirrored: Callable[[str], None]
) -> None:
    mirrored("bondi")
    browser, long_ago = ops_browser("ana"), timezone.now() + timedelta(hours=5)
    with clinic_context("bondi"):
        Cursor.objects.update(due_at=long_ago)
    page = text(browser.get("/ops/do/compare?clinic=bondi"))
    assert "Every record is read from Cliniko again" in page
    assert lines_of("bondi") == []
    answer = browser.post("/ops/do/compare", {"clinic": "bondi"})
    assert answer["Location"] == "/ops/clinics/bondi/"
    with clinic_context("bondi"):
        assert not Cursor.objects.filter(due_at=long_ago).exists()
    assert [line[:3] for line in lines_of("bondi")] == [("sync_resumed", None, "ops (ana@sidechart.example)")]
    assert Event.objects.get().details == {"clinic": "bondi"}


def test_nothing_is_done_to_a_clinic_that_was_not_chosen(
    ops_browser: Browsers, mirrored: Callable[[str], None]
) -> None:
    mirrored("bondi")
    browser = ops_browser()
    assert browser.post("/ops/do/compare", {})["Location"] == "/ops/"
    browser.post("/ops/do/compare", {"clinic": ["bondi", "nobody"]})
    assert len(lines_of("bondi")) == 1
    assert lines_of("harbour") == []


def test_a_clinic_without_a_key_is_compared_with_nothing(ops_browser: Browsers, bondi: Clinic) -> None:
    answer = ops_browser().post("/ops/do/compare", {"clinic": "bondi"}, follow=True)
    assert re.search("bondi: .* key", text(answer))
    assert (lines_of("bondi"), Event.objects.exists()) == ([], False)


def test_what_cannot_be_logged_at_the_clinic_is_not_done(
    ops_browser: Browsers, mirrored: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrored("bondi")

    mirrored("harbour")

    def full_at_bondi(*said: Any, **more: Any) -> Any:
        if current_clinic().label == "bondi":
            raise NotRecorded("for this test")
        return record(*said, **more)

    monkeypatch.setattr("ops.clinics.record", full_at_bondi)
    with clinic_context("bondi"):
        Cursor.objects.update(due_at=TOMORROW_NOON)
    answer = ops_browser().post("/ops/do/compare", {"clinic": ["bondi", "harbour"]}, follow=True)
    assert "bondi: the log cannot be written, so nothing was changed." in text(answer)
    with clinic_context("bondi"):
        assert Cursor.objects.exclude(due_at=TOMORROW_NOON).count() == 0
    assert [event.details["clinic"] for event in Event.objects.all()] == ["harbour"]


def test_copying_is_paused_and_goes_on(ops_browser: Browsers, mirrored: Callable[[str], None], harbour: Clinic) -> None:
    mirrored("bondi")
    browser = ops_browser("ana")
    for action, state in (("pause", "paused"), ("pause", "paused"), ("unpause", "ok"), ("unpause", "ok")):
        browser.post(f"/ops/do/{action}", {"clinic": ["bondi", "harbour"]})
        with clinic_context("bondi"):
            assert Connection.objects.get().state == state
    who = "ops (ana@sidechart.example)"
    assert lines_of("bondi") == [("sync_paused", None, who, {}), ("sync_resumed", None, who, {})]
    assert lines_of("harbour") == []
    assert [event.details for event in Event.objects.order_by("pk")] == [{"clinic": "bondi"}, {"clinic": "bondi"}]
    assert "harbour has nothing to pause" in text(browser.get("/ops/"))


# --- Numbers ---------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 3, 12, 10, tzinfo=UTC)


def opened(label: str, *moments: datetime) -> None:
    with clinic_context(label):
        for moment in moments:
            Event.objects.create(user_email="a@b.example", action=Action.VIEWED, patient_id="42", occurred_at=moment)


def test_launches_are_counted_once_and_on_their_day(bondi: Clinic, harbour: Clinic) -> None:
    opened("bondi", NOON - timedelta(days=1), NOON, NOON)
    numbers.measure(bondi, now=NOON)
    numbers.measure(bondi, now=NOON + timedelta(minutes=5))
    opened("bondi", NOON + timedelta(minutes=7))
    numbers.measure(bondi, now=NOON + timedelta(minutes=10))
    counted = dict(ClinicDay.objects.values_list("day", "launches"))
    assert counted == {NOON.date(): 3, NOON.date() - timedelta(days=1): 1}
    assert not ClinicDay.objects.filter(clinic=harbour).exists()


def test_the_worst_lag_of_an_hour_is_kept(bondi: Clinic, mirrored: Callable[[str], None]) -> None:
    mirrored("bondi")
    for behind in (60, 900, 30):
        with clinic_context("bondi"):
            Cursor.objects.update(checked_at=NOON - timedelta(seconds=behind))
            Connection.objects.update(state="ok")
        numbers.measure(bondi, now=NOON)
    assert ClinicDay.objects.get().lag_by_hour[12] == 900
    chart = numbers.lag(NOON, bondi)
    assert [bar.told for bar in chart.bars if bar.told] == ["15 min"]
    assert chart.summary == "At most 15 min."


def test_of_two_measurements_at_once_one_notes_nothing(bondi: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    opened("bondi", NOON)
    look = numbers._look

    def overtaken(**asked: Any) -> Any:
        monkeypatch.setattr(numbers, "_look", look)
        seen = look(**asked)
        connection.set_schema_to_public()
        numbers.measure(bondi, now=NOON)
        return seen

    monkeypatch.setattr(numbers, "_look", overtaken)
    numbers.measure(bondi, now=NOON)
    assert ClinicDay.objects.get().launches == 1


def test_the_task_measures_working_clinics_and_no_other(bondi: Clinic, harbour: Clinic) -> None:
    Clinic.objects.filter(pk=harbour.pk).update(state="suspended")
    for clinic in (bondi, harbour):
        measure_clinic(schema_name=clinic.schema_name)
    assert [each.clinic_id for each in ClinicDay.objects.all()] == [bondi.pk]


def test_numbers_of_more_than_a_year_ago_are_forgotten(bondi: Clinic) -> None:
    for ago in (399, 401):
        day = timezone.now().date() - timedelta(days=ago)
        ClinicDay.objects.create(clinic=bondi, day=day, lag_by_hour=[None] * 24)
    numbers.forget()
    assert ClinicDay.objects.count() == 1


def test_the_log_of_ops_shows_lines_by_the_hundred(ops_browser: Browsers) -> None:
    for number in range(101):
        Event.objects.create(user_email="ana@sidechart.example", action=Action.INVITED, details={"whom": f"n{number}"})
    browser = ops_browser()
    page = text(browser.get("/ops/log"))
    assert page.count("whom: n") == 100
    assert "?before=2" in page
    assert text(browser.get("/ops/log?before=2")).count("whom: n0<") == 1


# --- A clinic's life -------------------------------------------------------------------------------------------------

TOMORROW = TOMORROW_NOON.date()


@pytest.mark.parametrize(
    ("action", "form", "before", "after", "recorded"),
    [
        ("suspend", {"reason": "Unpaid"}, "active", "suspended", "clinic_suspended"),
        ("resume", {}, "suspended", "setup", "clinic_resumed"),
        ("close", {"on": f"{TOMORROW}"}, "active", "closing", "clinic_closing"),
    ],
)
def test_states_are_changed_for_many_at_once_and_each_clinic_reads_it(
    ops_browser: Browsers,
    bondi: Clinic,
    harbour: Clinic,
    action: str,
    form: dict[str, str],
    before: str,
    after: str,
    recorded: str,
) -> None:
    Clinic.objects.update(state=before)
    browser = ops_browser("ana")
    both = {"clinic": ["bondi", "harbour"]}
    assert "2 clinics" in text(browser.get(f"/ops/do/{action}?clinic=bondi&clinic=harbour"))
    assert Clinic.objects.filter(state=before).count() == 2
    assert browser.post(f"/ops/do/{action}", both | form)["Location"] == "/ops/"
    assert Clinic.objects.filter(state=after).count() == 2
    for label in ("bondi", "harbour"):
        assert [line[:3] for line in lines_of(label)] == [(recorded, None, "ops (ana@sidechart.example)")]
    assert [event.details["clinic"] for event in Event.objects.filter(action=recorded)] == ["bondi", "harbour"]


def test_a_change_asked_for_twice_is_one_line(ops_browser: Browsers, bondi: Clinic) -> None:
    browser = ops_browser()
    for _ in range(2):
        browser.post("/ops/do/suspend", {"clinic": "bondi", "reason": "Unpaid"})
    assert (len(lines_of("bondi")), Event.objects.count()) == (1, 1)
    assert "is suspended already" in text(browser.get("/ops/clinics/bondi/"))


def test_a_form_that_says_too_little_changes_nothing(ops_browser: Browsers, bondi: Clinic) -> None:
    browser = ops_browser()
    for action, form in (("suspend", {}), ("close", {"on": "soon"}), ("rename", {})):
        assert browser.post(f"/ops/do/{action}", {"clinic": "bondi"} | form).status_code == 422
    yesterday = timezone.now().date() - timedelta(days=1)
    answer = browser.post("/ops/do/close", {"clinic": "bondi", "on": f"{yesterday}"}, follow=True)
    assert "is not to come" in text(answer)
    bondi.refresh_from_db()
    assert bondi.state == "active"
    assert not Event.objects.exists()


def test_a_clinic_is_renamed_one_at_a_time_and_leads_to_its_new_page(
    ops_browser: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    browser = ops_browser()
    answer = browser.post("/ops/do/rename", {"clinic": ["bondi", "harbour"], "new_label": "coast"})
    assert answer["Location"] == "/ops/"
    assert "one clinic at a time" in text(browser.get("/ops/"))
    refused = browser.post("/ops/do/rename", {"clinic": "bondi", "new_label": "harbour"}, follow=True)
    assert "is taken" in text(refused)
    answer = browser.post("/ops/do/rename", {"clinic": "bondi", "new_label": "coast"})
    assert answer["Location"] == "/ops/clinics/coast/"
    assert lines_of("coast")[0][3] == {"before": "bondi", "after": "coast"}


def test_a_suspended_clinics_page_shows_why_and_the_way_back(ops_browser: Browsers, bondi: Clinic) -> None:
    browser = ops_browser()
    browser.post("/ops/do/suspend", {"clinic": "bondi", "reason": "Unpaid since May"})
    page = text(browser.get("/ops/clinics/bondi/"))
    assert "Unpaid since May" in page
    assert "/ops/do/resume?clinic=bondi" in page
    assert "/ops/do/suspend" not in page


def test_a_clinic_whose_tables_cannot_be_read_is_shown_all_the_same(ops_browser: Browsers, bondi: Clinic) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SCHEMA {bondi.schema_name} RENAME TO moved_away")
    answer = ops_browser().get("/ops/clinics/bondi/")
    assert answer.status_code == 200
    assert "cannot be read right now" in text(answer)
