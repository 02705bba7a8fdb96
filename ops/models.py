"""Clinics' daily statistics and operators' access to unreadable records, in the public schema."""

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from tenants.models import Clinic

HOURS = 24
MAX_GRANT = timedelta(hours=1)


class DailyStats(models.Model):
    """One clinic's figures for one day (UTC): counts only, no patient data."""

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="daily_stats")
    day = models.DateField()
    launches = models.PositiveIntegerField(default=0, help_text="Clicks on the button in Cliniko.")
    patients = models.PositiveIntegerField(default=0, help_text="Mirrored patients when last measured.")
    refused = models.PositiveIntegerField(default=0, help_text="Unreadable records when last measured.")
    lag_by_hour = ArrayField(
        models.PositiveIntegerField(null=True), help_text="The mirror's maximum lag in seconds, by hour."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["clinic", "day"], name="one_row_per_clinic_and_day"),
            models.CheckConstraint(condition=Q(lag_by_hour__len=HOURS), name="lag_has_24_hours"),
        ]
        indexes = [models.Index(fields=["day"])]

    def __str__(self) -> str:
        return f"{self.clinic_id} on {self.day}"


class LaunchTotal(models.Model):
    """The clinic's own launch count when it was last added to DailyStats."""

    clinic = models.OneToOneField(Clinic, on_delete=models.CASCADE, primary_key=True, related_name="launch_total")
    total = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.total} launches at {self.clinic_id}"


class BreakGlassGrant(models.Model):
    """An operator's permission to open a clinic's unreadable records, with a reason and an expiry."""

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="break_glass_grants")
    # Not a foreign key: deleting a user in a clinic's schema would cascade to this table in public.
    user_id = models.BigIntegerField(help_text="The operator's user id in the public schema.")
    reason = models.CharField(max_length=200)
    starts_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gte=F("starts_at"), expires_at__lte=F("starts_at") + MAX_GRANT),
                name="grant_is_short",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="grant_has_reason"),
        ]
        indexes = [models.Index(fields=["clinic", "user_id", "expires_at"], name="active_grants")]

    def __str__(self) -> str:
        return f"{self.clinic_id} until {self.expires_at:%H:%M}"
