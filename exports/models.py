from django.db import models
from django.db.models import Q
from django.utils import timezone


class Export(models.Model):
    """An export that an owner requested, a worker creates and an owner downloads once. Its file is in exports.storage.

    Email addresses are stored as text, as exports outlive accounts.
    """

    class State(models.TextChoices):
        REQUESTED = "requested"
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"
        DOWNLOADED = "downloaded"
        EXPIRED = "expired"

    IN_PROGRESS = (State.REQUESTED, State.RUNNING)

    requested_by = models.CharField(max_length=254)
    requested_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True, help_text="When it was ready or failed.")
    expires_at = models.DateTimeField(null=True)
    downloaded_by = models.CharField(max_length=254, blank=True)
    downloaded_at = models.DateTimeField(null=True)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    failure = models.CharField(max_length=200, blank=True, help_text="A sentence for owners.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(state__in=["requested", "running"]), name="one_export_in_progress"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "running", "ready", "failed", "downloaded", "expired"]),
                name="export_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"requested by {self.requested_by} at {self.requested_at:%Y-%m-%d %H:%M}"
