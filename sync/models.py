"""The mirror's tables. Rows refer to each other by Cliniko's ids, without foreign keys: they arrive in any order."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Connection(models.Model):
    """The clinic's connection to Cliniko: one row, created with the first key."""

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
    # Apart from `state`, so that neither a pause nor an outage hides a refused key.
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
    account_checked_at = models.DateTimeField(null=True, help_text="When the account settings were last read.")
    account_since = models.DateTimeField(null=True, help_text="Ids from before this time belong to another account.")
    state = models.CharField(max_length=16, choices=State, default=State.NO_KEY)
    state_since = models.DateTimeField(default=timezone.now)
    resume_at = models.DateTimeField(null=True, help_text="No request is made before this time.")
    failures = models.PositiveIntegerField(default=0, help_text="Failed runs in a row.")
    owners_notified_at = models.DateTimeField(null=True, help_text="When owners were notified that the key is refused.")
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_connection_per_clinic")]


class Cursor(models.Model):
    """How far one of Cliniko's lists is mirrored. Saved in one transaction with the rows."""

    resource = models.CharField(max_length=60, primary_key=True, help_text="The list: patients, patients/deleted.")
    imported_at = models.DateTimeField(null=True, help_text="When the full import finished; empty while it runs.")
    after_id = models.CharField(max_length=20, blank=True, help_text="The last id that the walk by id has read.")
    cursor = models.DateTimeField(null=True, help_text="A tick reads changes from this time on, by Cliniko's clock.")
    position = models.DateTimeField(null=True, help_text="The last change that the current tick has read.")
    walk_clock = models.DateTimeField(null=True, help_text="Cliniko's clock at the first page of the current walk.")
    checked_at = models.DateTimeField(null=True, help_text="The mirror is complete up to this time.")
    walked = models.PositiveIntegerField(default=0, help_text="Records read by the current or latest walk.")
    total = models.PositiveIntegerField(null=True, help_text="Cliniko's latest count of records.")
    due_at = models.DateTimeField(default=timezone.now, help_text="When the list is due for its next walk.")
    refused_at = models.DateTimeField(null=True, help_text="When Cliniko last answered 403 or 404 for this list.")
    failures = models.PositiveIntegerField(default=0, help_text="Failed walks in a row.")
    asks_hidden = models.BooleanField(
        default=True, help_text="False once Cliniko has rejected the filters for hidden records."
    )


class Reconciliation(models.Model):
    """The current or latest comparison of a resource with Cliniko, id by id."""

    resource = models.CharField(max_length=40, primary_key=True)
    after_id = models.CharField(max_length=20, null=True, help_text="The last id compared; empty when idle.")  # noqa: DJ001 - "" when it has begun
    due_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    requested_again = models.BooleanField(default=False, help_text="Requested while running: repeat afterwards.")
    total = models.PositiveIntegerField(null=True, help_text="Cliniko's count of records at the start.")
    compared = models.PositiveIntegerField(default=0)
    mended = models.PositiveIntegerField(default=0, help_text="Records that differed from Cliniko and were corrected.")


class SyncRun(models.Model):
    """One run of the sync: its times, its result, and counts by resource."""

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
    """A quarantined record: it couldn't be parsed or stored. The rest of its page was."""

    resource = models.CharField(max_length=40)
    cliniko_id = models.CharField(max_length=40, blank=True)
    patient_id = models.CharField(max_length=20, blank=True, help_text="The record's patient, if that can be read.")
    payload = models.TextField(help_text="JSON text as received.")
    reason = models.TextField()
    refused_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["resource", "cliniko_id"], name="one_quarantine_per_record")]


class PatientRefresh(models.Model):
    """The latest refresh of one patient on a launch. Its row ensures one refresh at a time."""

    cliniko_id = models.CharField(max_length=20, primary_key=True)
    started_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)


class ExcludedField(models.Model):
    """A field that the clinic doesn't store. Every write reads these rows: sync/walk/store.py.

    After the clinic includes the field again, its row is `restoring` until all records have been read again.
    """

    resource = models.CharField(max_length=40)
    field = models.CharField(max_length=60)
    group_name = models.CharField(max_length=40, help_text="Its group in sync/field_groups.py.")
    since = models.DateTimeField(default=timezone.now)
    restoring = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["resource", "field"], name="one_exclusion_per_field")]


class RetentionPolicy(models.Model):
    """For how many days the clinic keeps changes and deleted records: one row, or the defaults without it."""

    id = models.SmallAutoField(primary_key=True)
    changes_days = models.PositiveSmallIntegerField(
        default=180, validators=[MinValueValidator(30), MaxValueValidator(730)]
    )
    deleted_days = models.PositiveSmallIntegerField(
        default=90, validators=[MinValueValidator(7), MaxValueValidator(730)]
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_retention_policy"),
            models.CheckConstraint(condition=Q(changes_days__range=(30, 730)), name="changes_kept_30_to_730_days"),
            models.CheckConstraint(condition=Q(deleted_days__range=(7, 730)), name="deleted_kept_7_to_730_days"),
        ]


class MirroredRecord(models.Model):
    """A record as Cliniko sent it. `sequence` was drawn before the request: the answer to the later request wins."""

    cliniko_id = models.CharField(max_length=20, primary_key=True)
    payload = models.JSONField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    sequence = models.BigIntegerField()
    first_seen_at = models.DateTimeField(db_default=models.functions.Now())
    written_at = models.DateTimeField(db_default=models.functions.Now(), help_text="When it last changed here.")

    class Meta:
        abstract = True


class Patient(MirroredRecord):
    merged_into = models.CharField(max_length=20, null=True)  # noqa: DJ001 - NULL is "not merged"
    date_of_birth = models.DateField(null=True)
    sort_name = models.TextField(help_text="Family name first, normalised, for sorting.")
    search_names = models.TextField(help_text="All names, normalised.")
    search_phones = models.TextField(help_text="Digits of all phone numbers, space-separated.")

    class Meta:
        indexes = [
            models.Index(fields=["date_of_birth"]),
            models.Index(fields=["merged_into"], name="sync_merged", condition=Q(merged_into__isnull=False)),
        ]


class PatientChange(models.Model):
    """A change of one field of a patient. A trigger on Patient inserts the rows."""

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
    """A group appointment; its patients are its attendees."""

    practitioner_id = models.CharField(max_length=20, blank=True)
    business_id = models.CharField(max_length=20, blank=True)
    appointment_type_id = models.CharField(max_length=20, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)


class Attendee(MirroredRecord):
    """A patient's attendance at a group appointment. Cliniko also lists one for each individual appointment."""

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
