"""What a clinic has beside the mirror: choices, notes, and what was heard of the button in Cliniko."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User


class ClinicSettings(models.Model):
    """What the clinic's owners and admins chose for its screens: one row, from the first choice on."""

    id = models.SmallAutoField(primary_key=True)
    shows_card_numbers = models.BooleanField(
        default=False, help_text="Whether staff may uncover Medicare and DVA numbers."
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_row_of_clinic_settings")]


class Note(models.Model):
    """A note of the clinic's own about a patient. Cliniko knows nothing of it, and no sync touches it.

    Names of staff are kept as text: notes outlive accounts.
    """

    patient_id = models.CharField(max_length=20)
    text = models.TextField()
    version = models.PositiveIntegerField(default=1, help_text="Counts edits; a save names the one it began with.")
    author = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    editor = models.CharField(max_length=254, blank=True)
    edited_at = models.DateTimeField(null=True)
    pinned = models.BooleanField(default=False)
    deleted_by = models.CharField(max_length=254, blank=True)
    deleted_at = models.DateTimeField(null=True)
    set_aside_at = models.DateTimeField(
        null=True, help_text="When the clinic moved to another Cliniko account, whose ids mean other people."
    )

    class Meta:
        indexes = [models.Index(fields=["patient_id"], name="note_by_patient", condition=Q(set_aside_at=None))]


class NoteVersion(models.Model):
    """What a note said at first and after each edit. Rows are only ever added."""

    note = models.ForeignKey(Note, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    author = models.CharField(max_length=254)
    author_email = models.CharField(max_length=254)
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["note", "number"], name="one_note_version_of_a_number")]


class ButtonClick(models.Model):
    """The latest click of one kind (launch.button.Kind) on the button in Cliniko: one row a kind, and no patient."""

    kind = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()
    who = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    @property
    def name(self) -> str:
        return (self.who.name or self.who.email) if self.who else "Somebody"
