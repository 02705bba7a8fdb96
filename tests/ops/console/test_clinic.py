"""The console's pages about one clinic and about ops. Nothing of a patient anywhere."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import Invitation, User
from audit.log import Action
from audit.models import Event
from ops.monitoring import daily_stats
from sync.models import RefusedPayload
from tenants.context import clinic_context
from tenants.database import connection
from tenants.models import Clinic
from tests.ops.console.pages import lines_of, text

Browsers = Callable[..., Client]
CANARY = ("Zephyrine", "Quackenbush", "zephyrine@patients.example")
OF_BONDI = ["/ops/clinics/bondi/", "/ops/clinics/bondi/invite", "/ops/do/compare?clinic=bondi"]
PAGES = ["/ops/", "/ops/log", "/ops/new", *OF_BONDI]


@pytest.fixture
def canary(
    bondi: Clinic, add_patient: Callable[..., str], mark_imported: Callable[[str], None], sign_in: Browsers
) -> None:
    """A patient of bondi whose name is nobody else's: opened, and with a record that could not be read."""
    add_patient("bondi", "42", first_name=CANARY[0], last_name=CANARY[1], email=CANARY[2])
    mark_imported("bondi")
    assert sign_in("bondi").get("/patients?patient_id=42", follow=True).status_code == 200
    with clinic_context("bondi"):
        RefusedPayload.objects.create(
            resource="patients",
            cliniko_id="43",
            patient_id="43",
            payload=f'{{"first_name": "{CANARY[0]}", "last_name": "{CANARY[1]}"}}',
            reason="date_of_birth is not a time.",
        )
    daily_stats.measure(bondi, now=timezone.now())


@pytest.mark.parametrize("path", PAGES)
def test_nothing_of_a_patient_is_on_a_page_of_the_console(operator_client: Browsers, canary: None, path: str) -> None:
    answer = operator_client().get(path)
    assert answer.status_code == 200
    for word in (*CANARY, ">42<", ">43<"):
        assert word not in text(answer)


def test_a_clinics_page_counts_what_could_not_be_read_and_says_why(operator_client: Browsers, canary: None) -> None:
    page = text(operator_client().get("/ops/clinics/bondi/"))
    assert "patients: date_of_birth is not a time." in page
    assert "Launches by day" in page
    assert "http://bondi.localhost:8000/patients" in page


@pytest.mark.parametrize("path", ["/ops/clinics/nobody/", "/ops/clinics/nobody/invite", "/ops/do/nothing?clinic=bondi"])
def test_what_is_not_there_is_not_found(operator_client: Browsers, bondi: Clinic, path: str) -> None:
    assert operator_client().get(path).status_code == 404


def test_a_suspended_clinics_page_shows_why_and_the_way_back(operator_client: Browsers, bondi: Clinic) -> None:
    browser = operator_client()
    browser.post("/ops/do/suspend", {"clinic": "bondi", "reason": "Unpaid since May"})
    page = text(browser.get("/ops/clinics/bondi/"))
    assert "Unpaid since May" in page
    assert "/ops/do/resume?clinic=bondi" in page
    assert "/ops/do/suspend" not in page


def test_a_clinic_whose_tables_cannot_be_read_is_shown_all_the_same(operator_client: Browsers, bondi: Clinic) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SCHEMA {bondi.schema_name} RENAME TO moved_away")
    answer = operator_client().get("/ops/clinics/bondi/")
    assert answer.status_code == 200
    assert "can’t be read right now" in text(answer)


def test_a_new_clinic_is_made_whole_and_its_owner_invited(operator_client: Browsers) -> None:
    form = {"name": "Coast Physio", "label": "coast", "owner_email": "owner@coast.example"}
    answer = operator_client("ana").post("/ops/new", form)
    assert answer["Location"] == "/ops/clinics/coast/"
    assert mail.outbox[0].to == ["owner@coast.example"]
    said = {"person": "owner@coast.example", "role": "owner"}
    assert lines_of("coast") == [("invited", None, "ops (ana@sidechart.example)", said)]
    line = Event.objects.get(action=Action.INVITED)
    assert (line.user_email, line.details) == ("ana@sidechart.example", said | {"new_clinic": "coast"})


def test_the_page_for_a_new_clinic_has_what_cliniko_is_to_approve_for_all(
    operator_client: Browsers, settings: Any
) -> None:
    settings.BASE_DOMAIN, settings.PUBLIC_SCHEME, settings.PUBLIC_PORT = "sidechart.example", "https", ""
    settings.CLINIKO_APP_NAME = "Bedside"
    settings.ALLOWED_HOSTS = ["*"]
    shown = text(operator_client().get("/ops/new", headers={"host": "sidechart.example"}))
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
    operator_client: Browsers, bondi: Clinic, changed: dict[str, str], said: str
) -> None:
    before = Clinic.objects.count()
    form = {"name": "Coast Physio", "label": "coast", "owner_email": "owner@coast.example"} | changed
    answer = operator_client().post("/ops/new", form)
    assert answer.status_code == 422
    assert said in text(answer)
    assert (Clinic.objects.count(), Event.objects.count(), mail.outbox) == (before, 0, [])


def test_a_clinic_that_is_made_twice_is_there_once_and_its_owner_is_mailed_once(operator_client: Browsers) -> None:
    form = {"name": "Coast Physio", "label": "coast", "owner_email": "owner@coast.example"}
    browser = operator_client("ana")
    browser.post("/ops/new", form)
    again = browser.post("/ops/new", form)
    assert again.status_code == 422
    assert "coast already exists as Coast Physio, and owner@coast.example is invited" in text(again)
    assert (len(mail.outbox), Event.objects.count()) == (1, 1)


def test_staff_are_invited_and_both_logs_say_who_did_it(operator_client: Browsers, bondi: Clinic) -> None:
    invited = {"email": "new@clinic.example", "role": "admin"}
    assert operator_client("ben").post("/ops/clinics/bondi/invite", invited)["Location"] == "/ops/clinics/bondi/"
    with clinic_context("bondi"):
        assert Invitation.objects.get().role == "admin"
    assert lines_of("bondi")[0][2] == "ops (ben@sidechart.example)"
    assert Event.objects.get().details["clinic"] == "bondi"


def test_whoever_is_staff_already_is_not_invited(operator_client: Browsers, staff_member: Callable[..., User]) -> None:
    person = staff_member("bondi")
    answer = operator_client().post("/ops/clinics/bondi/invite", {"email": person.email, "role": "admin"})
    assert "already has an account" in text(answer)
    assert not Event.objects.exists()


def test_an_invitation_that_could_not_be_mailed_is_shown_to_be_handed_over(
    operator_client: Browsers, bondi: Clinic, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    answer = operator_client().post("/ops/clinics/bondi/invite", {"email": "new@clinic.example", "role": "owner"})
    assert "http://bondi.localhost:8000/invite/" in text(answer)


def test_the_log_of_ops_shows_lines_by_the_hundred(operator_client: Browsers) -> None:
    for number in range(101):
        Event.objects.create(
            user_email="ana@sidechart.example", action=Action.INVITED, details={"person": f"n{number}"}
        )
    browser = operator_client()
    page = text(browser.get("/ops/log"))
    assert page.count("person: n") == 100
    assert "?before=2" in page
    assert text(browser.get("/ops/log?before=2")).count("person: n0<") == 1
