"""A clinic with staff, sessions, a key, records, notes and an access log, for tests that run processes."""

from datetime import timedelta

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import invitations, second_factors
from accounts.models import CacheEntry, OpenSession, UsedTicket, User
from audit.log import Action, record
from launch.models import Note
from sync.cliniko.client import ApiKey
from sync.connection.sealing import seal
from sync.models import Connection, Cursor
from sync.resources import PATIENTS, RESOURCES
from sync.walk.store import next_sequence, write_page
from tenants.models import Clinic
from tests.payloads import patient_payload


def populate(clinic: Clinic, name: str, *, patients: int = 300) -> None:
    """Fill the current clinic; all patients have the first name `name`. Its key is `LABEL-secret-of-the-clinic-au1`."""
    now = timezone.now()
    for role in ("owner", "reception"):
        User.objects.create_user(f"{role}@clinic.example", "correct horse 42", name=role, role=role)
    robin = User.objects.get(role="reception")
    Session.objects.create(session_key="s" * 32, session_data="x", expire_date=now + timedelta(days=1))
    OpenSession.objects.create(user=robin, browser="Firefox")
    UsedTicket.objects.create(user=robin, digest="d", session_digest="s")
    CacheEntry.objects.create(cache_key="tries", value="1", expires=now + timedelta(days=1))
    invitations.invite("new@clinic.example", "reception")
    Authenticator.objects.create(user=robin, type="totp", data={"secret": second_factors.seal("ABCDEFGH", robin.pk)})
    key = ApiKey(f"{clinic.label}-secret-of-the-clinic-au1")
    sealed = seal(key, clinic=clinic.schema_name, keys=settings.SEALING_KEYS)
    account = {"sealed_key": sealed, "key_state": "ok", "account_subdomain": clinic.label, "connected_at": now}
    Connection.objects.create(id=1, state="ok", **account)
    for resource in RESOURCES:
        Cursor.objects.create(resource=resource.name, imported_at=now, checked_at=now, cursor=now, due_at=now)
    records = [patient_payload(str(number), first_name=name) for number in (42, *range(1000, 1000 + patients))]
    write_page(PATIENTS, records, sequence=next_sequence())
    Note.objects.create(patient_id="42", text=f"{name} brings a dog", author="Robin")
    for _ in range(3):
        record(Action.VIEWED, by=robin, patient_id="42")
