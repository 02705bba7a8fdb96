"""What a clinic has beside the mirror: choices, notes, what is not saved yet, and what was heard of the button."""

from django.contrib.postgres.fields import ArrayField
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
    first_steps_put_off = ArrayField(
        models.CharField(max_length=20), default=list, help_text="Those that somebody wants to take later."
    )
    first_steps_ended_at = models.DateTimeField(
        null=True, help_text="When somebody was through with them, or had enough of them."
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


class Draft(models.Model):
    """What somebody typed and has not saved: a new note, or other words for `note`. A row a screen: `view_id` is its
    row in the access log. Rows are replaced and never changed, so that a screen can name what it has seen."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    patient_id = models.CharField(max_length=20)
    note = models.ForeignKey(Note, on_delete=models.CASCADE, null=True, related_name="+")
    version = models.PositiveBigIntegerField(help_text="What the note was at when the words were typed over it, or 0.")
    view_id = models.BigIntegerField()
    text = models.TextField()
    saved_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["user", "patient_id"], name="draft_by_user_and_patient")]


class ButtonClick(models.Model):
    """The latest click on the Cliniko button, one row per kind (launch.button_clicks.Kind). Holds no patient."""

    kind = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()
    who = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    times = models.PositiveBigIntegerField(default=1, db_default=1, help_text="How many of this kind were noted.")

    @property
    def name(self) -> str:
        return (self.who.name or self.who.email) if self.who else "Somebody"
