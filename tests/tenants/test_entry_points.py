"""The two entry points into a clinic, and what they refuse."""

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from sync.tasks import take_due_clinics
from tenants.context import (
    ClinicAlreadyEntered,
    NoSuchClinic,
    clinic_context,
    clinic_context_for_schema,
    current_clinic,
)
from tenants.database import connection
from tenants.models import Clinic


def search_path() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        return str(cursor.fetchone()[0])


def test_inside_a_clinic_only_its_schema_is_on_the_search_path(bondi: Clinic) -> None:
    with clinic_context("bondi"):
        assert search_path() == bondi.schema_name
        assert current_clinic() == bondi


def test_public_tables_are_unreachable_inside_a_clinic(bondi: Clinic) -> None:
    with clinic_context("bondi"), pytest.raises(DatabaseError), transaction.atomic():
        Clinic.objects.count()


def test_an_error_inside_a_clinic_returns_to_public(bondi: Clinic) -> None:
    with pytest.raises(RuntimeError), clinic_context("bondi"):
        raise RuntimeError
    assert search_path() == "public"


def test_a_clinic_cannot_be_entered_inside_another(bondi: Clinic, harbour: Clinic) -> None:
    with clinic_context("bondi"):
        with pytest.raises(ClinicAlreadyEntered), clinic_context("harbour"):
            pass
        assert search_path() == bondi.schema_name


def test_the_error_names_the_unknown_clinic(db: None) -> None:
    with pytest.raises(NoSuchClinic, match="nowhere"), clinic_context("nowhere"):
        pass


def test_a_task_cannot_enter_a_suspended_clinic(bondi: Clinic) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(state=Clinic.State.SUSPENDED)
    with pytest.raises(NoSuchClinic), clinic_context_for_schema(bondi.schema_name):
        pass


@pytest.mark.parametrize(
    ("state", "in_days", "works"),
    [
        ("setup", None, True),
        ("active", None, True),
        ("closing", 1, True),
        ("closing", 0, False),
        ("suspended", None, False),
        ("purged", None, False),
    ],
)
def test_pages_tasks_and_ticks_agree_on_which_clinics_work(
    bondi: Clinic, harbour: Clinic, client: Client, state: str, in_days: int | None, works: bool
) -> None:
    day = None if in_days is None else timezone.now().date() + timedelta(days=in_days)
    Clinic.objects.filter(pk=bondi.pk).update(state=state, closing_on=day)
    bondi.refresh_from_db()
    assert bondi.is_working is works
    assert (bondi in Clinic.objects.working()) is works
    assert (client.get("/login", headers={"host": "bondi.localhost"}).status_code == 200) is works
    assert (bondi.schema_name in dict(take_due_clinics())) is works
    assert harbour in Clinic.objects.working()


def test_rows_of_one_clinic_are_invisible_in_another(bondi: Clinic, harbour: Clinic) -> None:
    with clinic_context("bondi"):
        User.objects.create_user("ada@clinic.example", name="Ada")
    with clinic_context("harbour"):
        assert not User.objects.exists()


def test_after_a_rolled_back_error_the_connection_is_still_in_its_clinic(bondi: Clinic, harbour: Clinic) -> None:
    with clinic_context("bondi"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        assert search_path() == bondi.schema_name
    with clinic_context("harbour"):
        assert search_path() == harbour.schema_name


def test_a_thread_started_inside_a_clinic_starts_in_public(bondi: Clinic) -> None:
    seen: list[str] = []

    def record_schema() -> None:
        seen.append(connection.schema_name)
        connection.close()

    with clinic_context("bondi"):
        thread = threading.Thread(target=record_schema)
        thread.start()
        thread.join()
    assert seen == ["public"]


def test_every_spelling_of_a_clinics_host_reaches_the_clinic(bondi: Clinic) -> None:
    for host in ("bondi.localhost", "BONDI.LocalHost", "bondi.localhost.", "bondi.localhost:8000"):
        assert Client(HTTP_HOST=host).get("/login").status_code == 200, host


OTHER_HOSTS = (
    "nowhere.localhost",
    "www.bondi.localhost",
    "www.localhost",
    "a.bondi.localhost",
    "bondi.localhost.evil.example",
    "evil.example",
    "bondilocalhost",
    ".localhost",
    "bondi..localhost",
    "bondi.localhost:port",
    "",
    "bondi.localhost@evil.example",
    "127.0.0.1",
)


def test_every_other_host_gets_the_same_page_and_no_cookie(bondi: Clinic) -> None:
    unknown = Client(HTTP_HOST="nowhere.localhost").get("/")
    for host in OTHER_HOSTS:
        response = Client(HTTP_HOST=host).get("/patients?patient_id=42")
        assert (response.status_code, response.content) == (404, unknown.content), host
        assert not response.cookies, host


def test_a_suspended_clinic_answers_like_an_unknown_one(bondi: Clinic) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(state=Clinic.State.SUSPENDED)
    suspended, unknown = (Client(HTTP_HOST=host).get("/") for host in ("bondi.localhost", "nowhere.localhost"))
    assert (suspended.status_code, suspended.content) == (404, unknown.content)


def test_each_request_uses_its_own_clinics_search_path(bondi: Clinic, harbour: Clinic) -> None:
    for label in ("bondi", "harbour", "bondi", "nowhere", "harbour"):
        answer = Client(HTTP_HOST=f"{label}.localhost").get("/login")
        assert answer.status_code == (404 if label == "nowhere" else 200)
        assert (b"Bondi Physio" in answer.content) is (label == "bondi")
        assert connection.schema_name == "public"
    assert search_path() == "public"


def test_a_second_request_to_the_same_clinic_does_not_set_the_search_path(bondi: Clinic) -> None:
    if connection.pg_version < 180_000:
        pytest.skip("older servers don't report the path, so it is set each time")
    browser = Client(HTTP_HOST="bondi.localhost")
    browser.get("/login")
    with CaptureQueriesContext(connection) as queries:
        browser.get("/login")
    assert not [each["sql"] for each in queries if "SET search_path" in each["sql"]]
