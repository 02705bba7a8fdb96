"""The exports that a clinic's owners asked for."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Export(models.Model):
    """One export: asked for, made, and fetched once. The file is exports.storage's; the name is kept as text."""

    class State(models.TextChoices):
        ASKED = "asked"
        BEING_MADE = "being_made"
        READY = "ready"
        FAILED = "failed"
        FETCHED = "fetched"
        EXPIRED = "expired"

    UNDER_WAY = (State.ASKED, State.BEING_MADE)

    asked_by = models.CharField(max_length=254)
    asked_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State, default=State.ASKED)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True, help_text="When it was ready, or had failed.")
    expires_at = models.DateTimeField(null=True)
    fetched_by = models.CharField(max_length=254, blank=True)
    fetched_at = models.DateTimeField(null=True)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    failure = models.CharField(max_length=200, blank=True, help_text="A sentence for owners.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(state__in=["asked", "being_made"]), name="one_export_under_way"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["asked", "being_made", "ready", "failed", "fetched", "expired"]),
                name="export_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"asked for by {self.asked_by} at {self.asked_at:%Y-%m-%d %H:%M}"
