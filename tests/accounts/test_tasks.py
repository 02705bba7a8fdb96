"""The nightly clean-up, and the cache's isolation."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.utils import timezone

from accounts.models import CacheEntry, OpenSession, UsedTicket, User, schema_name
from accounts.tasks import delete_expired
from tenants.context import clinic_context
from tenants.models import Clinic


def create_rows(now) -> None:
    user = User.objects.get()
    for name, age in (("old", timedelta(days=2)), ("new", timedelta(hours=-2))):
        at = now - age
        Session.objects.create(session_key=name, session_data="", expire_date=at)
        UsedTicket.objects.create(digest=name, session_digest="", user=user, used_at=at)
        CacheEntry.objects.create(cache_key=name, value="", expires=at)
        OpenSession.objects.create(user=user, browser=name, started_at=at)


def rows_left() -> list[set[str]]:
    return [
        set(Session.objects.values_list("session_key", flat=True)),
        set(UsedTicket.objects.values_list("digest", flat=True)),
        set(CacheEntry.objects.values_list("cache_key", flat=True)),
        set(OpenSession.objects.values_list("browser", flat=True)),
    ]


def test_expired_rows_are_deleted_in_every_clinic_and_the_rest_stays(staff_member):
    for label in ("bondi", "harbour"):
        staff_member(label)
        with clinic_context(label):
            create_rows(timezone.now())
    delete_expired()
    for label in ("bondi", "harbour"):
        with clinic_context(label):
            assert rows_left() == [{"new"}] * 4


def test_a_failing_clinic_does_not_stop_the_others(staff_member):
    staff_member("harbour")
    with clinic_context("harbour"):
        create_rows(timezone.now())
    Clinic.objects.create(label="aaa", name="Without its tables", schema_name="clinic_0000000000000000")
    delete_expired()
    with clinic_context("harbour"):
        assert rows_left() == [{"new"}] * 4


def test_each_clinic_has_its_own_cache(bondi, harbour):
    with clinic_context("bondi"):
        assert cache.add("key", "bondi", 60)
        assert CacheEntry.objects.get().cache_key.startswith(f"{schema_name()}:")
    with clinic_context("harbour"):
        assert cache.get("key") is None
        assert not CacheEntry.objects.exists()
