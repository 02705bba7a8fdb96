"""Clinics' figures by day and hour, and their charts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from launch.models import ButtonClick
from ops.models import DailyStats
from ops.monitoring import daily_stats
from ops.tasks import measure_clinic
from sync.models import Connection, Cursor
from tenants.context import clinic_context
from tenants.database import connection
from tenants.models import Clinic

Browsers = Callable[..., Client]
NOON = datetime(2026, 3, 3, 12, 10, tzinfo=UTC)


def set_launches(label: str, times: int, kind: str = "click") -> None:
    with clinic_context(label):
        ButtonClick.objects.update_or_create(kind=kind, defaults={"count": times, "clicked_at": NOON})


def test_launches_are_counted_once_on_their_day(bondi: Clinic, harbour: Clinic) -> None:
    yesterday = NOON - timedelta(days=1)
    daily_stats.measure(bondi, now=yesterday)
    set_launches("bondi", 2)
    set_launches("bondi", 1, "signed_out")
    set_launches("bondi", 9, "typed")
    daily_stats.measure(bondi, now=yesterday)
    daily_stats.measure(bondi, now=yesterday + timedelta(minutes=5))
    set_launches("bondi", 6)
    daily_stats.measure(bondi, now=NOON)
    daily_stats.measure(bondi, now=NOON + timedelta(minutes=5))
    assert dict(DailyStats.objects.values_list("day", "launches")) == {yesterday.date(): 3, NOON.date(): 4}
    assert not DailyStats.objects.filter(clinic=harbour).exists()


def test_a_lower_launch_total_starts_over(bondi: Clinic) -> None:
    daily_stats.measure(bondi, now=NOON)
    for times in (5, 2, 3):  # restored from a backup of when there were two
        set_launches("bondi", times)
        daily_stats.measure(bondi, now=NOON)
    assert DailyStats.objects.get().launches == 6


def test_launches_before_the_first_measurement_are_not_counted_even_after_all_days_are_deleted(bondi: Clinic) -> None:
    set_launches("bondi", 50)
    daily_stats.measure(bondi, now=NOON)
    DailyStats.objects.all().delete()
    set_launches("bondi", 53)
    daily_stats.measure(bondi, now=NOON)
    assert DailyStats.objects.get().launches == 3


def test_a_clinic_suspended_during_the_measurement_is_not_recorded(
    bondi: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_clinic = daily_stats.read_clinic

    def interrupted(now: datetime) -> Any:
        measured = read_clinic(now)
        connection.set_schema_to_public()
        Clinic.objects.filter(pk=bondi.pk).update(state="suspended")
        return measured

    monkeypatch.setattr(daily_stats, "read_clinic", interrupted)
    daily_stats.measure(bondi, now=NOON)
    assert not DailyStats.objects.exists()


def test_the_longest_lag_of_an_hour_is_recorded(bondi: Clinic, mark_imported: Callable[[str], None]) -> None:
    mark_imported("bondi")
    for behind in (60, 900, 30):
        with clinic_context("bondi"):
            Cursor.objects.update(checked_at=NOON - timedelta(seconds=behind))
            Connection.objects.update(state="ok")
        daily_stats.measure(bondi, now=NOON)
    assert DailyStats.objects.get().lag_by_hour[12] == 900
    chart = daily_stats.lag_chart(NOON, bondi)
    assert [bar.text for bar in chart.chart.bars if bar.text] == ["15 min"]
    assert chart.summary == "At most 15 min."


def test_concurrent_measurements_count_launches_once(bondi: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    daily_stats.measure(bondi, now=NOON)
    set_launches("bondi", 1)
    read_clinic = daily_stats.read_clinic

    def interrupted(now: datetime) -> Any:
        monkeypatch.setattr(daily_stats, "read_clinic", read_clinic)
        measured = read_clinic(now)
        connection.set_schema_to_public()
        daily_stats.measure(bondi, now=NOON)
        return measured

    monkeypatch.setattr(daily_stats, "read_clinic", interrupted)
    daily_stats.measure(bondi, now=NOON)
    assert DailyStats.objects.get().launches == 1


def test_the_task_measures_only_working_clinics(bondi: Clinic, harbour: Clinic) -> None:
    Clinic.objects.filter(pk=harbour.pk).update(state="suspended")
    for clinic in (bondi, harbour):
        measure_clinic(schema_name=clinic.schema_name)
    assert [each.clinic_id for each in DailyStats.objects.all()] == [bondi.pk]


def test_figures_older_than_400_days_are_deleted(bondi: Clinic) -> None:
    for ago in (399, 401):
        day = timezone.now().date() - timedelta(days=ago)
        DailyStats.objects.create(clinic=bondi, day=day, lag_by_hour=[None] * 24)
    daily_stats.delete_old()
    assert DailyStats.objects.count() == 1
