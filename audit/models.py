"""Who did what. The database numbers, chains and keeps the rows: see migrations/0001_initial.py."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Action(models.TextChoices):
    """What can be in the log, as the pages say it after a name."""

    VIEWED = "viewed", "opened"
    LISTED = "listed", "saw the list of those opened last"
    SEARCHED = "searched", "searched"
    NOT_FOUND = "not_found", "looked for, not found"
    DENIED = "denied", "was refused"
    REVEALED = "revealed", "uncovered a number of"
    EXPORTED = "exported", "exported"
    LOG_READ = "log_read", "read the access log"
    NOTE_WRITTEN = "note_written", "wrote a note on"
    NOTE_DELETED = "note_deleted", "deleted a note on"
    KEY_CHANGED = "key_changed", "changed the Cliniko API key"
    SETTINGS_CHANGED = "settings_changed", "changed settings"
    INVITED = "invited", "invited"
    INVITATION_REVOKED = "invitation_revoked", "took back the invitation of"
    JOINED = "joined", "accepted the invitation"
    ROLE_CHANGED = "role_changed", "changed the role of"
    SUSPENDED = "suspended", "suspended"
    REINSTATED = "reinstated", "let in again"
    PASSWORD_CHANGED = "password_changed", "chose a new password"
    SECOND_FACTOR_ADDED = "second_factor_added", "set up a second factor"
    SECOND_FACTOR_REMOVED = "second_factor_removed", "removed a second factor"
    SECOND_FACTOR_RESET = "second_factor_reset", "reset the second factor of"
    SESSIONS_ENDED = "sessions_ended", "ended sessions of"
    SYNC_PAUSED = "sync_paused", "paused the sync"
    SYNC_RESUMED = "sync_resumed", "let the sync go on"
    CLINIC_SUSPENDED = "clinic_suspended", "suspended the clinic"
    CLINIC_RESUMED = "clinic_resumed", "let the clinic work again"
    CLINIC_RENAMED = "clinic_renamed", "renamed the clinic"
    CLINIC_CLOSING = "clinic_closing", "set the day the clinic closes"
    OPS_ACCESS = "ops_access", "looked into the clinic"


class Event(models.Model):
    """One line of the log. `details` holds short texts, never a patient's data, a secret or what was searched for.

    Names of accounts are kept as text: the log outlives them. `id`, `previous` and `digest` are the database's.
    """

    user_id = models.BigIntegerField(null=True)
    user_email = models.CharField(max_length=254)
    action = models.CharField(max_length=24, choices=Action)
    patient_id = models.CharField(max_length=20, blank=True)
    details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    request_id = models.CharField(max_length=32, blank=True)
    occurred_at = models.DateTimeField(db_default=Now())
    previous = models.CharField(max_length=64, editable=False)
    digest = models.CharField(max_length=64, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["user_id", "action", "-id"], name="audit_by_user"),
            models.Index(fields=["patient_id", "-id"], name="audit_by_patient", condition=~Q(patient_id="")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(patient_id="") | Q(patient_id__regex="^[1-9][0-9]{0,19}$"), name="audit_patient_is_an_id"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_email} {self.get_action_display()} {self.patient_id}".strip()
