"""`/metrics`: what it has, and who can read it."""

from datetime import timedelta

import pytest
from django.http import Http404
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from ops.monitoring import views
from tenants.models import Clinic

TOKEN = "a-token-of-some-length"


@pytest.fixture
def base_host() -> Client:
    return Client(HTTP_HOST="localhost")


def test_it_has_clinics_by_state_and_their_sync_lag(bondi: Clinic, harbour: Clinic, base_host: Client) -> None:
    now = timezone.now()
    Clinic.objects.filter(pk=bondi.pk).update(sync_state="ok", checked_at=now - timedelta(seconds=90), sync_due_at=now)
    Clinic.objects.filter(pk=harbour.pk).update(
        sync_state="paused", key_state="invalid", sync_due_at=now - timedelta(minutes=5)
    )
    lines = base_host.get("/metrics").content.decode().splitlines()
    assert 'sidechart_clinics{state="active",sync_state="ok"} 1.0' in lines
    assert 'sidechart_clinics{state="active",sync_state="paused"} 1.0' in lines
    assert 'sidechart_clinic_keys{key_state="invalid",state="active"} 1.0' in lines
    assert 'sidechart_clinic_keys{key_state="missing",state="active"} 1.0' in lines
    assert "sidechart_clinics_overdue 1.0" in lines
    (lag,) = [line for line in lines if line.startswith('sidechart_sync_lag_seconds{clinic="bondi"}')]
    assert 90 <= float(lag.split()[1]) < 100


def test_it_counts_clinics_whose_access_log_was_tampered_with(
    bondi: Clinic, harbour: Clinic, base_host: Client
) -> None:
    assert "sidechart_audit_chain_broken 0.0" in base_host.get("/metrics").content.decode().splitlines()
    Clinic.objects.filter(pk=bondi.pk).update(audit_broken_at=2)
    assert "sidechart_audit_chain_broken 1.0" in base_host.get("/metrics").content.decode().splitlines()


def test_a_suspended_clinic_has_no_lag(bondi: Clinic, harbour: Clinic, base_host: Client) -> None:
    Clinic.objects.filter(pk=bondi.pk).update(state=Clinic.State.SUSPENDED, checked_at=timezone.now())
    assert "bondi" not in base_host.get("/metrics").content.decode()


def test_a_paused_clinic_has_no_lag(bondi: Clinic, harbour: Clinic, base_host: Client) -> None:
    Clinic.objects.update(sync_state="ok", checked_at=timezone.now() - timedelta(days=3))
    Clinic.objects.filter(pk=bondi.pk).update(sync_state="paused")
    page = base_host.get("/metrics").content.decode()
    assert 'sidechart_sync_lag_seconds{clinic="harbour"}' in page
    assert 'sidechart_sync_lag_seconds{clinic="bondi"}' not in page


@pytest.mark.parametrize(("sent", "status"), [("", 404), (f"Bearer {TOKEN}x", 404), (f"Bearer {TOKEN}", 200)])
def test_with_a_token_set_requests_need_it(
    db: None, base_host: Client, settings: Settings, sent: str, status: int
) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert base_host.get("/metrics", headers={"Authorization": sent}).status_code == status


def test_without_a_token_metrics_are_served_on_localhost_only(rf: RequestFactory, settings: Settings) -> None:
    settings.BASE_DOMAIN = "sidechart.example"
    request = rf.get("/metrics")
    request.clinic = None  # type: ignore[attr-defined]
    with pytest.raises(Http404):
        views.metrics(request)


def test_a_clinics_host_has_no_metrics(bondi: Clinic) -> None:
    assert Client(HTTP_HOST="bondi.localhost").get("/metrics").status_code == 404
