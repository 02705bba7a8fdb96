"""The audit log's table. Triggers number, chain and protect its rows: see migrations/0001_initial.py."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Action(models.TextChoices):
    """What an event records. Pages show the label after the user's name; `Event.phrase` precedes a patient's name."""

    VIEWED = "viewed", "viewed a patient"
    LISTED = "listed", "viewed the list of recently opened patients"
    SEARCHED = "searched", "searched for patients"
    NOT_FOUND = "not_found", "couldn't find a patient"
    DENIED = "denied", "was denied access"
    REVEALED = "revealed", "revealed a card number"
    EXPORTED = "exported", "exported data"
    LOG_READ = "log_read", "viewed the access log"
    NOTE_WRITTEN = "note_written", "wrote a note"
    NOTE_DELETED = "note_deleted", "deleted a note"
    KEY_CHANGED = "key_changed", "changed the Cliniko API key"
    SETTINGS_CHANGED = "settings_changed", "changed settings"
    INVITED = "invited", "invited someone"
    INVITATION_REVOKED = "invitation_revoked", "cancelled an invitation"
    JOINED = "joined", "accepted an invitation"
    ROLE_CHANGED = "role_changed", "changed a role"
    SUSPENDED = "suspended", "suspended a user"
    REINSTATED = "reinstated", "unsuspended a user"
    PASSWORD_CHANGED = "password_changed", "changed their password"
    SECOND_FACTOR_ADDED = "second_factor_added", "added a two-step verification method"
    SECOND_FACTOR_REMOVED = "second_factor_removed", "removed a two-step verification method"
    SECOND_FACTOR_RESET = "second_factor_reset", "reset two-step verification"
    SESSIONS_ENDED = "sessions_ended", "ended sessions"
    SYNC_PAUSED = "sync_paused", "paused the sync"
    SYNC_RESUMED = "sync_resumed", "resumed the sync"
    CLINIC_SUSPENDED = "clinic_suspended", "suspended the clinic"
    CLINIC_RESUMED = "clinic_resumed", "resumed the clinic"
    CLINIC_RENAMED = "clinic_renamed", "renamed the clinic"
    CLINIC_CLOSING = "clinic_closing", "set the clinic's closing date"
    OPS_ACCESS = "ops_access", "accessed the clinic"


# The labels that precede a patient's name with other words. The others are the same with and without a patient.
_PHRASES_WITH_PATIENT = {
    Action.VIEWED: "viewed",
    Action.NOT_FOUND: "couldn't find",
    Action.DENIED: "was denied access to",
    Action.REVEALED: "revealed a card number of",
    Action.EXPORTED: "exported data of",
    Action.LOG_READ: "viewed the access log of",
    Action.NOTE_WRITTEN: "wrote a note on",
    Action.NOTE_DELETED: "deleted a note on",
    Action.OPS_ACCESS: "accessed the clinic and the record of",
}


class Event(models.Model):
    """One event of the audit log. The database sets `id`, `previous` and `digest`.

    `user_email` is text, because events outlive accounts. `details` holds short texts: never patient data, secrets or
    search terms.
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
        return f"{self.user_email} {self.phrase} {self.patient_id}".strip()

    @property
    def phrase(self) -> str:
        """What the user did, to be followed by the patient if the event is about one."""
        label = self.get_action_display()
        return _PHRASES_WITH_PATIENT.get(Action(self.action), label) if self.patient_id else label
