"""The tables of the mirror. Rows name each other by Cliniko's ids without foreign keys: they arrive in any order."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Connection(models.Model):
    """The clinic's connection to Cliniko: one row, from the first key on."""

    class State(models.TextChoices):
        NO_KEY = "no_key"
        OK = "ok"
        RATE_LIMITED = "rate_limited"
        KEY_INVALID = "key_invalid"
        KEY_FORBIDDEN = "key_forbidden"
        UNREACHABLE = "unreachable"
        PAUSED = "paused"

    class KeyState(models.TextChoices):
        MISSING = "missing"
        OK = "ok"
        INVALID = "invalid"
        FORBIDDEN = "forbidden"

    id = models.SmallAutoField(primary_key=True)
    sealed_key = models.TextField(blank=True)
    # What Cliniko last said of the key, whatever else hinders: a pause and an outage hide no refused key.
    key_state = models.CharField(max_length=10, choices=KeyState, default=KeyState.MISSING, db_default=KeyState.MISSING)
    key_last4 = models.CharField(max_length=4, blank=True)
    shard = models.CharField(max_length=4, blank=True)
    account_name = models.TextField(blank=True)
    account_subdomain = models.TextField(blank=True)
    time_zone = models.TextField(default="UTC")
    patient_word = models.TextField(default="patient")
    key_user_name = models.TextField(blank=True)
    key_user_role = models.TextField(blank=True)
    connected_at = models.DateTimeField(null=True)
    account_checked_at = models.DateTimeField(null=True, help_text="When it was last asked for name, zone and words.")
    account_since = models.DateTimeField(null=True, help_text="Whatever has an id from before is of another account.")
    state = models.CharField(max_length=16, choices=State, default=State.NO_KEY)
    state_since = models.DateTimeField(default=timezone.now)
    resume_at = models.DateTimeField(null=True, help_text="Not before this time is Cliniko asked again.")
    failures = models.PositiveIntegerField(default=0, help_text="Unanswered runs in a row.")
    owners_notified_at = models.DateTimeField(null=True, help_text="When owners were told that the key is refused.")
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_connection_for_a_clinic")]


class Cursor(models.Model):
    """How far one of Cliniko's lists is mirrored. Written in the transaction of the rows it speaks of."""

    resource = models.CharField(max_length=60, primary_key=True, help_text="The list: patients, patients/deleted.")
    imported_at = models.DateTimeField(null=True, help_text="When the full import ended; empty while it runs.")
    after_id = models.CharField(max_length=20, blank=True, help_text="The walk by id has seen all up to here.")
    cursor = models.DateTimeField(null=True, help_text="A tick reads all that changed from here on, Cliniko's clock.")
    position = models.DateTimeField(null=True, help_text="How far the tick under way has come.")
    walk_clock = models.DateTimeField(null=True, help_text="Cliniko's clock at the first page of the walk under way.")
    checked_at = models.DateTimeField(null=True, help_text="Everything Cliniko held at this time is here.")
    walked = models.PositiveIntegerField(default=0, help_text="Records that the walk under way, or the last, has seen.")
    total = models.PositiveIntegerField(null=True, help_text="Records Cliniko counted when it was last asked.")
    due_at = models.DateTimeField(default=timezone.now, help_text="When the list is to be walked again.")
    refused_at = models.DateTimeField(null=True, help_text="Since when Cliniko answers 403 or 404 for this list.")
    failures = models.PositiveIntegerField(default=0, help_text="Unanswered walks in a row.")
    asks_hidden = models.BooleanField(
        default=True, help_text="False once Cliniko refused the filters for hidden records."
    )


class Reconciliation(models.Model):
    """The comparison of one resource with Cliniko, id by id: the one under way, or the last one."""

    resource = models.CharField(max_length=40, primary_key=True)
    after_id = models.CharField(max_length=20, null=True, help_text="All up to here is compared; empty between two.")  # noqa: DJ001 - "" is the beginning of one under way
    due_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    requested_again = models.BooleanField(default=False, help_text="Wanted while under way: once more after it.")
    total = models.PositiveIntegerField(null=True, help_text="Records Cliniko counted at its start.")
    compared = models.PositiveIntegerField(default=0)
    mended = models.PositiveIntegerField(default=0, help_text="Records that were not as in Cliniko, and now are.")


class SyncRun(models.Model):
    """One pass of the sync, for people who ask what happened when."""

    class Result(models.TextChoices):
        DONE = "done"
        CONTINUES = "continues"
        STOPPED = "stopped"

    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    result = models.CharField(max_length=10, choices=Result)
    reason = models.TextField(blank=True)
    resources = models.JSONField(default=dict, help_text="By resource: fetched, written, requests.")

    class Meta:
        indexes = [models.Index(fields=["-started_at"])]


class RefusedPayload(models.Model):
    """A record that could not be read, kept aside with the reason; the rest of its page went on."""

    resource = models.CharField(max_length=40)
    cliniko_id = models.CharField(max_length=40, blank=True)
    patient_id = models.CharField(max_length=20, blank=True, help_text="Whom it is about, where that can be read.")
    payload = models.TextField(help_text="JSON text as received.")
    reason = models.TextField()
    refused_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["resource", "cliniko_id"], name="one_refusal_for_a_record")]


class PatientRefresh(models.Model):
    """The latest re-read of one patient on a launch; its row is what makes a re-read single flight."""

    cliniko_id = models.CharField(max_length=20, primary_key=True)
    started_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)


class ExcludedField(models.Model):
    """A field of Cliniko's records that the clinic chose not to keep. Every write reads these rows: sync/walk/store.py.

    Once chosen again it stays, `restoring`, until all records have been read anew.
    """

    resource = models.CharField(max_length=40)
    field = models.CharField(max_length=60)
    group_name = models.CharField(max_length=40, help_text="Its group in sync/field_groups.py.")
    since = models.DateTimeField(default=timezone.now)
    restoring = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["resource", "field"], name="one_choice_for_a_field")]


class RetentionPolicy(models.Model):
    """How long the clinic keeps what is no longer so in Cliniko: one row; where there is none the defaults hold."""

    id = models.SmallAutoField(primary_key=True)
    changes_days = models.PositiveSmallIntegerField(
        default=180, validators=[MinValueValidator(30), MaxValueValidator(730)]
    )
    deleted_days = models.PositiveSmallIntegerField(
        default=90, validators=[MinValueValidator(7), MaxValueValidator(730)]
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_row_of_keeping"),
            models.CheckConstraint(condition=Q(changes_days__range=(30, 730)), name="changes_kept_30_to_730_days"),
            models.CheckConstraint(condition=Q(deleted_days__range=(7, 730)), name="deleted_kept_7_to_730_days"),
        ]


class MirroredRecord(models.Model):
    """A record as Cliniko gave it. `sequence` was drawn before the request: of two answers the later request's wins."""

    cliniko_id = models.CharField(max_length=20, primary_key=True)
    payload = models.JSONField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    sequence = models.BigIntegerField()
    first_seen_at = models.DateTimeField(db_default=models.functions.Now())
    written_at = models.DateTimeField(db_default=models.functions.Now(), help_text="Since when it reads as it does.")

    class Meta:
        abstract = True


class Patient(MirroredRecord):
    merged_into = models.CharField(max_length=20, null=True)  # noqa: DJ001 - no survivor is not an empty survivor
    date_of_birth = models.DateField(null=True)
    sort_name = models.TextField(help_text="Family name first, folded, for lists.")
    search_names = models.TextField(help_text="All names, folded.")
    search_phones = models.TextField(help_text="Digits of all phones, blank-separated.")

    class Meta:
        indexes = [
            models.Index(fields=["date_of_birth"]),
            models.Index(fields=["merged_into"], name="sync_merged", condition=Q(merged_into__isnull=False)),
        ]


class PatientChange(models.Model):
    """One field of a patient that Cliniko changed. Rows come from a trigger on Patient, whoever writes there."""

    patient_id = models.CharField(max_length=20)
    field = models.TextField()
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    changed_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        indexes = [models.Index(fields=["patient_id", "changed_at"])]


class MedicalAlert(MirroredRecord):
    patient_id = models.CharField(max_length=20)
    name = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["patient_id"])]


class Appointment(MirroredRecord):
    patient_id = models.CharField(max_length=20, blank=True)
    practitioner_id = models.CharField(max_length=20, blank=True)
    business_id = models.CharField(max_length=20, blank=True)
    appointment_type_id = models.CharField(max_length=20, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["patient_id", "starts_at"])]


class GroupAppointment(MirroredRecord):
    """A class: who comes is in its attendees."""

    practitioner_id = models.CharField(max_length=20, blank=True)
    business_id = models.CharField(max_length=20, blank=True)
    appointment_type_id = models.CharField(max_length=20, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)


class Attendee(MirroredRecord):
    """A patient's place in a class. Cliniko lists one for each individual appointment too."""

    patient_id = models.CharField(max_length=20, blank=True)
    booking_id = models.CharField(max_length=20, blank=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["patient_id"])]


class Practitioner(MirroredRecord):
    name = models.TextField()


class Business(MirroredRecord):
    name = models.TextField()


class AppointmentType(MirroredRecord):
    name = models.TextField()
