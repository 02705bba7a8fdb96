"""Record clinics' daily figures in the public schema, so that the console's list doesn't enter every clinic."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from ops.models import HOURS, DailyStats, LaunchTotal
from ops.monitoring import charts
from sync.models import Patient, RefusedPayload
from sync.read.status import current
from tenants.context import enter_clinic
from tenants.models import Clinic
from tenants.signals import launch_totals

RETENTION = timedelta(days=400)
LAG_HOURS, LAUNCH_DAYS = 24, 14


@dataclass(frozen=True)
class Measurement:
    """A clinic's figures now. `lag` is in seconds; `launches` is the total it has ever counted."""

    patients: int
    refused: int
    lag: int | None
    launches: int


def measure(clinic: Clinic, *, now: datetime) -> None:
    """Record the clinic's figures for today. Call from the public schema; concurrent calls count each launch once."""
    before = _launch_total(clinic)
    with enter_clinic(clinic):
        measured = read_clinic(now)
    with transaction.atomic():
        unchanged = Clinic.objects.select_for_update(no_key=True).filter(
            pk=clinic.pk, state__in=Clinic.WORKING, schema_name=clinic.schema_name
        )
        if unchanged.exists() and _launch_total(clinic) == before:
            _record(clinic, measured, before, now)


def _launch_total(clinic: Clinic) -> int | None:
    return LaunchTotal.objects.filter(clinic=clinic).values_list("total", flat=True).first()


def read_clinic(now: datetime) -> Measurement:
    checked_at = current().checked_at
    return Measurement(
        patients=Patient.objects.filter(deleted_at=None).count(),
        refused=RefusedPayload.objects.count(),
        lag=max(0, int((now - checked_at).total_seconds())) if checked_at else None,
        launches=launch_totals().launches,
    )


def _record(clinic: Clinic, measured: Measurement, before: int | None, now: datetime) -> None:
    utc = now.astimezone(UTC)
    today, _ = DailyStats.objects.get_or_create(clinic=clinic, day=utc.date(), defaults={"lag_by_hour": [None] * HOURS})
    # The first measurement can't tell which day earlier launches belong to. A lower count than before means that the
    # clinic was restored or connected to another Cliniko account.
    today.launches += max(0, measured.launches - (measured.launches if before is None else before))
    LaunchTotal.objects.update_or_create(clinic=clinic, defaults={"total": measured.launches})
    if measured.lag is not None:
        today.lag_by_hour[utc.hour] = max(measured.lag, today.lag_by_hour[utc.hour] or 0)
    today.patients, today.refused = measured.patients, measured.refused
    today.save(update_fields=["patients", "refused", "launches", "lag_by_hour"])


def delete_old() -> None:
    """Delete figures older than RETENTION."""
    DailyStats.objects.filter(day__lt=timezone.now().date() - RETENTION).delete()


def launch_chart(now: datetime, clinic: Clinic | None = None) -> charts.StatsChart:
    """Return launches by day (UTC), of one clinic or of all."""
    first = now.astimezone(UTC).date() - timedelta(days=LAUNCH_DAYS - 1)
    rows = DailyStats.objects.filter(day__gte=first, **({"clinic": clinic} if clinic else {}))
    counted = dict(rows.values_list("day").annotate(Sum("launches")).order_by())
    days = [first + timedelta(days=number) for number in range(LAUNCH_DAYS)]
    values = [
        charts.Value(f"{day:%a} {day.day} {day:%b}", str(day.day) if place % 2 else "", counted.get(day, 0))
        for place, day in enumerate(days)
    ]
    return charts.of_counts("Launches by day", "Launches", values)


def lag_chart(now: datetime, clinic: Clinic | None = None) -> charts.StatsChart:
    """Return the maximum lag of a mirror by hour (UTC), of one clinic or of all."""
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [last - timedelta(hours=number) for number in reversed(range(LAG_HOURS))]
    worst = _max_lag_by_hour(hours[0].date(), clinic)
    values = [
        charts.Value(
            f"{hour:%a} {_clock(hour)}", _clock(hour) if hour.hour % 6 == 0 and hour != last else "", worst.get(hour)
        )
        for hour in hours
    ]
    return charts.of_durations("Sync lag by hour", "Longest lag", values)


def _clock(hour: datetime) -> str:
    """Return `2 pm`."""
    return f"{hour.hour % 12 or 12} {'am' if hour.hour < 12 else 'pm'}"


def _max_lag_by_hour(first: date, clinic: Clinic | None) -> dict[datetime, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT day, hour, max(lag)"
            " FROM ops_dailystats, unnest(lag_by_hour) WITH ORDINALITY AS measured (lag, hour)"
            " WHERE day >= %s AND lag IS NOT NULL AND (%s::bigint IS NULL OR clinic_id = %s) GROUP BY day, hour",
            [first, clinic and clinic.pk, clinic and clinic.pk],
        )
        return {
            datetime(day.year, day.month, day.day, hour - 1, tzinfo=UTC): most for day, hour, most in cursor.fetchall()
        }
