"""A clinic's own data beside the mirror: settings, notes, drafts, and clicks on the button in Cliniko."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User


class ClinicSettings(models.Model):
    """The clinic's settings: one row, created with the first change."""

    id = models.SmallAutoField(primary_key=True)
    shows_card_numbers = models.BooleanField(
        default=False, help_text="Whether staff may reveal Medicare and DVA numbers."
    )
    onboarding_postponed = ArrayField(
        models.CharField(max_length=20), default=list, help_text="Names of the onboarding steps left for later."
    )
    onboarding_finished_at = models.DateTimeField(
        null=True, help_text="When all steps were done, or a user hid the reminder."
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_row_of_clinic_settings")]


class Note(models.Model):
    """The clinic's own note on a patient, which is not in Cliniko and which no sync changes.

    Names of staff are stored as text: notes outlive accounts.
    """

    patient_id = models.CharField(max_length=20)
    text = models.TextField()
    version = models.PositiveIntegerField(
        default=1, help_text="Incremented by each edit; an edit sends the one it began with."
    )
    author = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    editor = models.CharField(max_length=254, blank=True)
    edited_at = models.DateTimeField(null=True)
    pinned = models.BooleanField(default=False)
    deleted_by = models.CharField(max_length=254, blank=True)
    deleted_at = models.DateTimeField(null=True)
    set_aside_at = models.DateTimeField(
        null=True, help_text="When the clinic moved to another Cliniko account, where patient IDs mean other people."
    )

    class Meta:
        indexes = [models.Index(fields=["patient_id"], name="note_by_patient", condition=Q(set_aside_at=None))]


class NoteVersion(models.Model):
    """One version of a note's text. Rows are only ever added."""

    note = models.ForeignKey(Note, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    author = models.CharField(max_length=254)
    author_email = models.CharField(max_length=254)
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["note", "number"], name="one_note_version_of_a_number")]


class Draft(models.Model):
    """Text that a user typed and hasn't saved: a new note, or an edit of `note`. One row per view of the screen.

    `view_id` is the view's audit entry. Rows are replaced and never updated, so that a screen can say which drafts it
    has restored.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    patient_id = models.CharField(max_length=20)
    note = models.ForeignKey(Note, on_delete=models.CASCADE, null=True, related_name="+")
    version = models.PositiveBigIntegerField(
        help_text="The version of the note that the user is editing; 0 for a new note."
    )
    view_id = models.BigIntegerField()
    text = models.TextField()
    saved_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["user", "patient_id"], name="draft_by_user_and_patient")]


class ButtonClick(models.Model):
    """The latest click on the button in Cliniko, one row per kind (launch.button_clicks.Kind). Stores no patient."""

    kind = models.CharField(max_length=20, primary_key=True)
    clicked_at = models.DateTimeField()
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    count = models.PositiveBigIntegerField(default=1, db_default=1, help_text="How many clicks of this kind counted.")

    @property
    def user_name(self) -> str:
        return (self.user.name or self.user.email) if self.user else "Someone"
