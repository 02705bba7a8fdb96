"""The console's pages about one clinic and about operators, without patient data."""

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
from tests.ops.console.pages import access_events, text

Browsers = Callable[..., Client]
CANARY = ("Zephyrine", "Quackenbush", "zephyrine@patients.example")
OF_BONDI = ["/ops/clinics/bondi/", "/ops/clinics/bondi/invite", "/ops/do/compare?clinic=bondi"]
PAGES = ["/ops/", "/ops/log", "/ops/new", *OF_BONDI]


@pytest.fixture
def canary(
    bondi: Clinic, add_patient: Callable[..., str], mark_imported: Callable[[str], None], sign_in: Browsers
) -> None:
    """A patient of bondi with a unique name, opened once, and an unreadable record."""
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
def test_no_page_of_the_console_has_patient_data(operator_client: Browsers, canary: None, path: str) -> None:
    response = operator_client().get(path)
    assert response.status_code == 200
    for word in (*CANARY, ">42<", ">43<"):
        assert word not in text(response)


def test_a_clinics_page_counts_unreadable_records_by_reason(operator_client: Browsers, canary: None) -> None:
    page = text(operator_client().get("/ops/clinics/bondi/"))
    assert "patients: date_of_birth is not a time." in page
    assert "Launches by day" in page
    assert "http://bondi.localhost:8000/patients" in page


@pytest.mark.parametrize("path", ["/ops/clinics/nobody/", "/ops/clinics/nobody/invite", "/ops/do/nothing?clinic=bondi"])
def test_unknown_clinics_and_actions_are_404(operator_client: Browsers, bondi: Clinic, path: str) -> None:
    assert operator_client().get(path).status_code == 404


def test_a_suspended_clinics_page_shows_the_reason_and_resume(operator_client: Browsers, bondi: Clinic) -> None:
    browser = operator_client()
    browser.post("/ops/do/suspend", {"clinic": "bondi", "reason": "Unpaid since May"})
    page = text(browser.get("/ops/clinics/bondi/"))
    assert "Unpaid since May" in page
    assert "/ops/do/resume?clinic=bondi" in page
    assert "/ops/do/suspend" not in page


def test_a_clinic_whose_tables_cannot_be_read_still_has_a_page(operator_client: Browsers, bondi: Clinic) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SCHEMA {bondi.schema_name} RENAME TO moved_away")
    response = operator_client().get("/ops/clinics/bondi/")
    assert response.status_code == 200
    assert "can’t be read right now" in text(response)


def test_a_clinic_is_created_and_its_owner_invited(operator_client: Browsers) -> None:
    form = {"name": "Coast Physio", "label": "coast", "owner_email": "owner@coast.example"}
    response = operator_client("ana").post("/ops/new", form)
    assert response["Location"] == "/ops/clinics/coast/"
    assert mail.outbox[0].to == ["owner@coast.example"]
    details = {"person": "owner@coast.example", "role": "owner"}
    assert access_events("coast") == [("invited", None, "ops (ana@sidechart.example)", details)]
    event = Event.objects.get(action=Action.INVITED)
    assert (event.user_email, event.details) == ("ana@sidechart.example", details | {"new_clinic": "coast"})


def test_the_new_clinic_page_has_the_text_to_send_to_cliniko(operator_client: Browsers, settings: Any) -> None:
    settings.BASE_DOMAIN, settings.PUBLIC_SCHEME, settings.PUBLIC_PORT = "sidechart.example", "https", ""
    settings.CLINIKO_APP_NAME = "Bedside"
    settings.ALLOWED_HOSTS = ["*"]
    shown = text(operator_client().get("/ops/new", headers={"host": "sidechart.example"}))
    assert "app Bedside, for every account: https://*.sidechart.example/patients (the *" in shown


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"label": "bondi"}, "is taken"),
        ({"label": "admin"}, "is reserved"),
        ({"label": "Not A Label"}, "cannot be a subdomain"),
        ({"owner_email": "nobody"}, "valid email"),
        ({"name": ""}, "required"),
    ],
)
def test_an_invalid_new_clinic_is_refused_and_leaves_nothing(
    operator_client: Browsers, bondi: Clinic, changed: dict[str, str], sentence: str
) -> None:
    before = Clinic.objects.count()
    form = {"name": "Coast Physio", "label": "coast", "owner_email": "owner@coast.example"} | changed
    response = operator_client().post("/ops/new", form)
    assert response.status_code == 422
    assert sentence in text(response)
    assert (Clinic.objects.count(), Event.objects.count(), mail.outbox) == (before, 0, [])


def test_creating_a_clinic_twice_creates_and_emails_once(operator_client: Browsers) -> None:
    form = {"name": "Coast Physio", "label": "coast", "owner_email": "owner@coast.example"}
    browser = operator_client("ana")
    browser.post("/ops/new", form)
    again = browser.post("/ops/new", form)
    assert again.status_code == 422
    assert "coast already exists as Coast Physio, and owner@coast.example is invited" in text(again)
    assert (len(mail.outbox), Event.objects.count()) == (1, 1)


def test_inviting_staff_is_in_both_logs(operator_client: Browsers, bondi: Clinic) -> None:
    invited = {"email": "new@clinic.example", "role": "admin"}
    assert operator_client("ben").post("/ops/clinics/bondi/invite", invited)["Location"] == "/ops/clinics/bondi/"
    with clinic_context("bondi"):
        assert Invitation.objects.get().role == "admin"
    assert access_events("bondi")[0][2] == "ops (ben@sidechart.example)"
    assert Event.objects.get().details["clinic"] == "bondi"


def test_existing_staff_are_not_invited(operator_client: Browsers, staff_member: Callable[..., User]) -> None:
    person = staff_member("bondi")
    response = operator_client().post("/ops/clinics/bondi/invite", {"email": person.email, "role": "admin"})
    assert "already has an account" in text(response)
    assert not Event.objects.exists()


def test_the_link_of_an_invitation_that_could_not_be_emailed_is_shown(
    operator_client: Browsers, bondi: Clinic, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    response = operator_client().post("/ops/clinics/bondi/invite", {"email": "new@clinic.example", "role": "owner"})
    assert "http://bondi.localhost:8000/invite/" in text(response)


def test_the_activity_page_shows_a_hundred_events(operator_client: Browsers) -> None:
    for number in range(101):
        Event.objects.create(
            user_email="ana@sidechart.example", action=Action.INVITED, details={"person": f"n{number}"}
        )
    browser = operator_client()
    page = text(browser.get("/ops/log"))
    assert page.count("person: n") == 100
    assert "?before=2" in page
    assert text(browser.get("/ops/log?before=2")).count("person: n0<") == 1
