"""Fixtures of all tests: two clinics, bondi and harbour, with the same ids, emails and passwords, and operators."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.signals import request_finished
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from accounts.models import User
from accounts.roles import Role
from accounts.tasks import send_reset_link, send_sign_in_changed
from exports.tasks import create_export as make_export
from sync.models import Connection, Cursor
from sync.resources import PATIENTS, RESOURCES
from sync.walk.store import next_sequence, write_page
from tenants import metrics
from tenants.context import clinic_context
from tenants.database import connection
from tenants.models import Clinic, Domain
from tests.accounts.second_factors import add_app_here
from tests.payloads import patient_payload

PASSWORD = "correct horse 42"
AddRecord = Callable[[str, str, dict[str, Any]], None]

pytest_plugins = ["tests.cliniko_sandbox"]
CLINICS = {"bondi": "Bondi Physio", "harbour": "Harbour Osteopathy"}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Create the two clinics in Django's test database; every test is rolled back to them."""
    with django_db_blocker.unblock():
        for label, name in CLINICS.items():
            clinic = Clinic.objects.create(label=label, name=name)
            Domain.objects.create(domain=label, tenant=clinic)
            clinic.create_schema(verbosity=0)
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        # Connections of threads that a test started and that ended without closing them would keep the database.
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(autouse=True)
def _return_to_public(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        connection.set_schema_to_public()


@pytest.fixture(autouse=True)
def close_streaming_responses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close files that responses stream, as a web server does."""
    streaming = []
    request = Client.request

    def recorded(client: Client, **environ: Any) -> Any:
        response = request(client, **environ)
        if response.streaming:
            streaming.append(response)
        return response

    monkeypatch.setattr(Client, "request", recorded)
    yield
    for response in streaming:
        # Not response.close(): it also sends request_finished, whose receivers use the database.
        for close in getattr(response, "_resource_closers"):  # noqa: B009 - private to Django
            close()


@pytest.fixture(autouse=True)
def fast_password_hasher(settings: Settings) -> None:
    """Replace the deliberately slow password hasher."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def metrics_not_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write metrics only when a test calls flush, not every ten seconds."""
    monkeypatch.setattr(metrics, "FLUSH_INTERVAL", float("inf"))
    monkeypatch.setattr(metrics, "_pending", {})


@pytest.fixture(autouse=True)
def eager_mail_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Run email tasks after the response, and return the arguments they were called with."""
    calls: list[dict[str, Any]] = []
    waiting: list[tuple[Any, dict[str, Any]]] = []

    def run_tasks(**_: Any) -> None:
        while waiting:
            task, kwargs = waiting.pop()
            task(**kwargs)

    def enqueue(task: Any) -> Callable[..., None]:
        def apply_async(args: Any = None, kwargs: Any = None, **_: Any) -> None:
            calls.append(kwargs)
            waiting.append((task, kwargs))

        return apply_async

    for task in (send_reset_link, send_sign_in_changed):
        monkeypatch.setattr(task, "apply_async", enqueue(task))
    request_finished.connect(run_tasks)
    yield calls
    request_finished.disconnect(run_tasks)


@pytest.fixture(autouse=True)
def export_directory(settings: Settings, tmp_path: Path) -> Path:
    """Return EXPORT_DIRECTORY, which doesn't exist yet."""
    settings.EXPORT_DIRECTORY = tmp_path / "exports"
    return settings.EXPORT_DIRECTORY


@pytest.fixture(autouse=True)
def export_messages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the arguments of queued export tasks, which aren't run."""
    calls: list[dict[str, Any]] = []

    def enqueue(*, kwargs: dict[str, Any], **_: Any) -> None:
        calls.append(kwargs)

    monkeypatch.setattr(make_export, "apply_async", enqueue)
    return calls


@pytest.fixture
def bondi(db: None) -> Clinic:
    return Clinic.objects.get(label="bondi")


@pytest.fixture
def harbour(db: None) -> Clinic:
    return Clinic.objects.get(label="harbour")


@pytest.fixture
def clinic_client(bondi: Clinic, harbour: Clinic) -> Callable[[str], Client]:
    """`clinic_client("bondi")`: return a new client for that clinic's host."""
    return lambda label: Client(HTTP_HOST=f"{label}.localhost")


@pytest.fixture
def staff_member(bondi: Clinic, harbour: Clinic) -> Callable[..., User]:
    """`staff_member("bondi", role="owner")`: return a staff member of the clinic, created if missing.

    Email and password are the same at every clinic, and usually the id, as ids start at 1 in each schema.
    """

    def staff(label: str, role: str = Role.RECEPTION, email: str = "") -> User:
        with clinic_context(label):
            address = email or f"{role}@clinic.example"
            found = User.objects.filter(email=address).first()
            return found or User.objects.create_user(address, PASSWORD, name=f"Robin {role.title()}", role=role)

    return staff


@pytest.fixture
def sign_in(clinic_client: Callable[[str], Client], staff_member: Callable[..., User]) -> Callable[..., Client]:
    """`sign_in("bondi", role="owner")`: return a client that signed in on the clinic's sign-in page."""

    def signed_in(label: str, role: str = Role.RECEPTION, email: str = "") -> Client:
        user = staff_member(label, role, email)
        browser = clinic_client(label)
        answer = browser.post("/login", {"login": user.email, "password": PASSWORD})
        assert answer.status_code == 302, answer.content.decode()
        return browser

    return signed_in


@pytest.fixture
def force_login(clinic_client: Callable[[str], Client], staff_member: Callable[..., User]) -> Callable[..., Client]:
    """`force_login("bondi", role="owner")`: return a signed-in client, without the slower sign-in page."""

    def signed_in(label: str, role: str = Role.RECEPTION, email: str = "") -> Client:
        user, browser = staff_member(label, role, email), clinic_client(label)
        with clinic_context(label):
            browser.force_login(user)
        return browser

    return signed_in


@pytest.fixture
def add_patient(bondi: Clinic, harbour: Clinic) -> Callable[..., str]:
    """`add_patient("bondi", "42", first_name="Ada")`: store a patient in the clinic and return the id."""

    def add(label: str, cliniko_id: str = "42", **fields: Any) -> str:
        with clinic_context(label):
            write_page(PATIENTS, [patient_payload(cliniko_id, **fields)], sequence=next_sequence())
        return cliniko_id

    return add


@pytest.fixture
def add_record(db: None) -> AddRecord:
    """`add_record("bondi", "medical_alerts", payload)`: store any record in the clinic."""

    def add(label: str, resource: str, payload: dict[str, Any]) -> None:
        kind = next(kind for kind in RESOURCES if kind.name == resource)
        with clinic_context(label):
            write_page(kind, [payload], sequence=next_sequence())

    return add


@pytest.fixture
def mark_imported(bondi: Clinic, harbour: Clinic) -> Callable[[str], None]:
    """`mark_imported("bondi")`: set the clinic's state as after a complete and current import."""

    def finish(label: str) -> None:
        now = timezone.now()
        with clinic_context(label):
            Connection.objects.update_or_create(
                id=1,
                defaults={
                    "state": Connection.State.OK,
                    "key_state": Connection.KeyState.OK,
                    "sealed_key": "not opened in this test",
                    "account_subdomain": label,
                    "time_zone": "Australia/Sydney",
                },
            )
            Cursor.objects.bulk_create(
                (Cursor(resource=resource.name, imported_at=now, checked_at=now, cursor=now) for resource in RESOURCES),
                update_conflicts=True,
                unique_fields=["resource"],
                update_fields=["imported_at", "checked_at", "cursor"],
            )

    return finish


@pytest.fixture
def two_clinics(add_patient: Callable[..., str], mark_imported: Callable[[str], None]) -> None:
    """Add a patient 42 to both clinics: Ada Lindqvist at bondi, Ben Okoro at harbour."""
    for label, first, last in (("bondi", "Ada", "Lindqvist"), ("harbour", "Ben", "Okoro")):
        add_patient(label, "42", first_name=first, last_name=last)
        mark_imported(label)


@pytest.fixture
def operator(db: None) -> Callable[..., User]:
    """`operator("ana")`: return an operator with an authenticator app, created if missing."""

    def person(name: str = "ana", *, second_factor: bool = True) -> User:
        email = f"{name}@sidechart.example"
        found = User.objects.filter(email=email).first()
        if found:
            return found
        made = User.objects.create_user(email, PASSWORD, name=name.title())
        if second_factor:
            add_app_here(made)
        return made

    return person


@pytest.fixture
def operator_client(operator: Callable[..., User]) -> Callable[..., Client]:
    """`operator_client("ana")`: return a client signed in as an operator, without the sign-in page."""

    def browser(name: str = "ana", *, second_factor: bool = True) -> Client:
        client = Client(HTTP_HOST="localhost")
        client.force_login(operator(name, second_factor=second_factor))
        return client

    return browser
