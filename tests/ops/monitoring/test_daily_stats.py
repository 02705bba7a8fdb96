"""Numbers of clinics by day and hour, and the pictures of them."""

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


def launched(label: str, times: int, kind: str = "click") -> None:
    with clinic_context(label):
        ButtonClick.objects.update_or_create(kind=kind, defaults={"count": times, "clicked_at": NOON})


def test_launches_are_counted_once_and_on_their_day(bondi: Clinic, harbour: Clinic) -> None:
    yesterday = NOON - timedelta(days=1)
    daily_stats.measure(bondi, now=yesterday)
    launched("bondi", 2)
    launched("bondi", 1, "signed_out")
    launched("bondi", 9, "typed")
    daily_stats.measure(bondi, now=yesterday)
    daily_stats.measure(bondi, now=yesterday + timedelta(minutes=5))
    launched("bondi", 6)
    daily_stats.measure(bondi, now=NOON)
    daily_stats.measure(bondi, now=NOON + timedelta(minutes=5))
    assert dict(DailyStats.objects.values_list("day", "launches")) == {yesterday.date(): 3, NOON.date(): 4}
    assert not DailyStats.objects.filter(clinic=harbour).exists()


def test_a_clinic_that_counts_fewer_launches_than_before_begins_anew(bondi: Clinic) -> None:
    daily_stats.measure(bondi, now=NOON)
    for times in (5, 2, 3):  # restored from a backup of when there were two
        launched("bondi", times)
        daily_stats.measure(bondi, now=NOON)
    assert DailyStats.objects.get().launches == 6


def test_launches_of_before_the_first_look_are_of_no_day_also_when_all_days_were_forgotten(bondi: Clinic) -> None:
    launched("bondi", 50)
    daily_stats.measure(bondi, now=NOON)
    DailyStats.objects.all().delete()
    launched("bondi", 53)
    daily_stats.measure(bondi, now=NOON)
    assert DailyStats.objects.get().launches == 3


def test_a_visit_that_a_suspension_overtakes_notes_nothing(bondi: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    look = daily_stats._read_clinic

    def overtaken(now: datetime) -> Any:
        seen = look(now)
        connection.set_schema_to_public()
        Clinic.objects.filter(pk=bondi.pk).update(state="suspended")
        return seen

    monkeypatch.setattr(daily_stats, "_read_clinic", overtaken)
    daily_stats.measure(bondi, now=NOON)
    assert not DailyStats.objects.exists()


def test_the_worst_lag_of_an_hour_is_kept(bondi: Clinic, mark_imported: Callable[[str], None]) -> None:
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


def test_of_two_measurements_at_once_one_notes_nothing(bondi: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    daily_stats.measure(bondi, now=NOON)
    launched("bondi", 1)
    look = daily_stats._read_clinic

    def overtaken(now: datetime) -> Any:
        monkeypatch.setattr(daily_stats, "_read_clinic", look)
        seen = look(now)
        connection.set_schema_to_public()
        daily_stats.measure(bondi, now=NOON)
        return seen

    monkeypatch.setattr(daily_stats, "_read_clinic", overtaken)
    daily_stats.measure(bondi, now=NOON)
    assert DailyStats.objects.get().launches == 1


def test_the_task_measures_working_clinics_and_no_other(bondi: Clinic, harbour: Clinic) -> None:
    Clinic.objects.filter(pk=harbour.pk).update(state="suspended")
    for clinic in (bondi, harbour):
        measure_clinic(schema_name=clinic.schema_name)
    assert [each.clinic_id for each in DailyStats.objects.all()] == [bondi.pk]


def test_numbers_of_more_than_a_year_ago_are_forgotten(bondi: Clinic) -> None:
    for ago in (399, 401):
        day = timezone.now().date() - timedelta(days=ago)
        DailyStats.objects.create(clinic=bondi, day=day, lag_by_hour=[None] * 24)
    daily_stats.delete_old()
    assert DailyStats.objects.count() == 1
