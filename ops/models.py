"""What ops keep of clinics on public: numbers for lists and charts, and who may look into which clinic until when."""

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from tenants.models import Clinic

HOURS = 24
LONGEST_LOOK = timedelta(hours=1)


class DailyStats(models.Model):
    """One clinic's numbers on one day (UTC). Counts alone: nothing in it is of a patient."""

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    launches = models.PositiveIntegerField(default=0, help_text="Clicks on the button in Cliniko.")
    patients = models.PositiveIntegerField(default=0, help_text="Mirrored, when last measured.")
    refused = models.PositiveIntegerField(default=0, help_text="Records that could not be read, when last measured.")
    lag_by_hour = ArrayField(
        models.PositiveIntegerField(null=True), help_text="The most seconds that the mirror was behind, by hour."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["clinic", "day"], name="one_row_for_a_clinic_and_day"),
            models.CheckConstraint(condition=Q(lag_by_hour__len=HOURS), name="lag_of_24_hours"),
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
    """One of ops may read what a clinic keeps aside until then, for a reason that the clinic reads in its log."""

    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="looks")
    # No foreign key: from then on whoever deletes staff in a clinic's schema would be asked about this table.
    user_id = models.BigIntegerField(help_text="Whose look it is, of those in public.")
    reason = models.CharField(max_length=200)
    began_at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(until__gte=F("began_at"), until__lte=F("began_at") + LONGEST_LOOK), name="look_is_short"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="look_has_a_reason"),
        ]
        indexes = [models.Index(fields=["clinic", "user_id", "until"], name="look_going_on")]

    def __str__(self) -> str:
        return f"{self.clinic_id} until {self.until:%H:%M}"
