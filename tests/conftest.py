"""The cast of every test: two clinics, bondi and harbour, with the same ids, e-mails and passwords in both, and two of
ops on the base host, Ana and Ben."""

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
from accounts.tasks import send_reset_link, send_sign_in_notice
from exports.tasks import make as make_export
from sync.models import Connection, Cursor
from sync.resources import PATIENTS, RESOURCES
from sync.walk.store import next_sequence, write_page
from tenants import metrics
from tenants.context import clinic_context
from tenants.database import connection
from tenants.models import Clinic, Domain
from tests.accounts.second_factors import give_app_here
from tests.payloads import patient_payload

PASSWORD = "correct horse 42"
AddRecord = Callable[[str, str, dict[str, Any]], None]

pytest_plugins = ["tests.cliniko_sandbox"]
CLINICS = {"bondi": "Bondi Physio", "harbour": "Harbour Osteopathy"}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Django's test database, with the two clinics in it; every test starts from them and is rolled back to them."""
    with django_db_blocker.unblock():
        for label, name in CLINICS.items():
            clinic = Clinic.objects.create(label=label, name=name)
            Domain.objects.create(domain=label, tenant=clinic)
            clinic.create_schema(verbosity=0)


@pytest.fixture(autouse=True)
def _begin_and_end_in_public(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        connection.set_schema_to_public()


@pytest.fixture(autouse=True)
def fast_password_hasher(settings: Settings) -> None:
    """Hashing that is slow on purpose would be most of the run."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def metrics_not_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers for monitoring are written when a test says so, not when ten seconds are over."""
    monkeypatch.setattr(metrics, "FLUSH_INTERVAL", float("inf"))
    monkeypatch.setattr(metrics, "_pending", {})


@pytest.fixture(autouse=True)
def eager_mail_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """A worker that sends a mail as soon as the page is answered; the messages that it got."""
    got: list[dict[str, Any]] = []
    waiting: list[tuple[Any, dict[str, Any]]] = []

    def work(**_: Any) -> None:
        while waiting:
            task, kwargs = waiting.pop()
            task(**kwargs)

    def enqueue(task: Any) -> Callable[..., None]:
        def apply_async(args: Any = None, kwargs: Any = None, **_: Any) -> None:
            got.append(kwargs)
            waiting.append((task, kwargs))

        return apply_async

    for task in (send_reset_link, send_sign_in_notice):
        monkeypatch.setattr(task, "apply_async", enqueue(task))
    request_finished.connect(work)
    yield got
    request_finished.disconnect(work)


@pytest.fixture(autouse=True)
def export_directory(settings: Settings, tmp_path: Path) -> Path:
    """EXPORT_DIRECTORY, not there yet."""
    settings.EXPORT_DIRECTORY = tmp_path / "exports"
    return settings.EXPORT_DIRECTORY


@pytest.fixture(autouse=True)
def export_messages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The messages that ask a worker to make an export. No worker gets them."""
    got: list[dict[str, Any]] = []

    def enqueue(*, kwargs: dict[str, Any], **_: Any) -> None:
        got.append(kwargs)

    monkeypatch.setattr(make_export, "apply_async", enqueue)
    return got


@pytest.fixture
def bondi(db: None) -> Clinic:
    return Clinic.objects.get(label="bondi")


@pytest.fixture
def harbour(db: None) -> Clinic:
    return Clinic.objects.get(label="harbour")


@pytest.fixture
def clinic_client(bondi: Clinic, harbour: Clinic) -> Callable[[str], Client]:
    """`clinic_client("bondi")`: a new browser whose requests go to that clinic's host."""
    return lambda label: Client(HTTP_HOST=f"{label}.localhost")


@pytest.fixture
def staff_member(bondi: Clinic, harbour: Clinic) -> Callable[..., User]:
    """`staff_member("bondi", role="owner")`: somebody of the clinic's staff, made when not there yet.

    The same e-mail and password at every clinic, and as both schemas number from 1, the same id too.
    """

    def staff(label: str, role: str = Role.RECEPTION, email: str = "") -> User:
        with clinic_context(label):
            address = email or f"{role}@clinic.example"
            found = User.objects.filter(email=address).first()
            return found or User.objects.create_user(address, PASSWORD, name=f"Robin {role.title()}", role=role)

    return staff


@pytest.fixture
def sign_in(clinic_client: Callable[[str], Client], staff_member: Callable[..., User]) -> Callable[..., Client]:
    """`sign_in("bondi", role="owner")`: a browser that went through the clinic's sign-in page."""

    def signed_in(label: str, role: str = Role.RECEPTION, email: str = "") -> Client:
        user = staff_member(label, role, email)
        browser = clinic_client(label)
        answer = browser.post("/login", {"login": user.email, "password": PASSWORD})
        assert answer.status_code == 302, answer.content.decode()
        return browser

    return signed_in


@pytest.fixture
def force_login(clinic_client: Callable[[str], Client], staff_member: Callable[..., User]) -> Callable[..., Client]:
    """`sign_in("bondi", role="owner")`: a browser with a session of that clinic, made without its sign-in page.

    That page has tests of its own, and here it would be half of most tests' time.
    """

    def signed_in(label: str, role: str = Role.RECEPTION, email: str = "") -> Client:
        user, browser = staff_member(label, role, email), clinic_client(label)
        with clinic_context(label):
            browser.force_login(user)
        return browser

    return signed_in


@pytest.fixture
def add_patient(bondi: Clinic, harbour: Clinic) -> Callable[..., str]:
    """`add_patient("bondi", "42", first_name="Ada")`: put a patient into the clinic's mirror; returns the id."""

    def add(label: str, cliniko_id: str = "42", **fields: Any) -> str:
        with clinic_context(label):
            write_page(PATIENTS, [patient_payload(cliniko_id, **fields)], sequence=next_sequence())
        return cliniko_id

    return add


@pytest.fixture
def add_record(db: None) -> AddRecord:
    """`add_record("bondi", "medical_alerts", payload)`: put any record into the clinic's mirror."""

    def add(label: str, resource: str, payload: dict[str, Any]) -> None:
        kind = next(kind for kind in RESOURCES if kind.name == resource)
        with clinic_context(label):
            write_page(kind, [payload], sequence=next_sequence())

    return add


@pytest.fixture
def mark_imported(bondi: Clinic, harbour: Clinic) -> Callable[[str], None]:
    """`mark_imported("bondi")`: the clinic's first import is over and everything was checked just now."""

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
    """Patient 42 in the mirrors of both clinics."""
    for label, first, last in (("bondi", "Ada", "Lindqvist"), ("harbour", "Ben", "Okoro")):
        add_patient(label, "42", first_name=first, last_name=last)
        mark_imported(label)


@pytest.fixture
def operator(db: None) -> Callable[..., User]:
    """`operator("ana")`: one of ops with an authenticator app; made when not there yet."""

    def person(name: str = "ana", *, second_factor: bool = True) -> User:
        email = f"{name}@sidechart.example"
        found = User.objects.filter(email=email).first()
        if found:
            return found
        made = User.objects.create_user(email, PASSWORD, name=name.title())
        if second_factor:
            give_app_here(made)
        return made

    return person


@pytest.fixture
def operator_client(operator: Callable[..., User]) -> Callable[..., Client]:
    """`operator_client("ana")`: a browser of one of ops who is signed in, made without the sign-in page."""

    def browser(name: str = "ana", *, second_factor: bool = True) -> Client:
        client = Client(HTTP_HOST="localhost")
        client.force_login(operator(name, second_factor=second_factor))
        return client

    return browser
