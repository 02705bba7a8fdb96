"""What the public schema knows of clinics: that they exist, where they live and when their next sync is due."""

import secrets

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_tenants.models import DomainMixin, TenantMixin

from tenants.labels import LABEL_PATTERN, RESERVED_LABELS


def new_schema_name() -> str:
    """A surrogate: a clinic may be renamed, its schema never is."""
    return f"clinic_{secrets.token_hex(8)}"


def _label_rule(field: str) -> Q:
    taken_by_us = Q(**{f"{field}__startswith": "xn--"}) | Q(**{f"{field}__in": sorted(RESERVED_LABELS)})
    return Q(**{f"{field}__regex": LABEL_PATTERN}) & ~taken_by_us


class ClinicQuerySet(models.QuerySet["Clinic"]):
    def working(self) -> "ClinicQuerySet":
        """Clinics that staff get into and whose mirror is kept fresh: not suspended, not purged, not past their last
        day (which ends everywhere at midnight UTC)."""
        return self.filter(state__in=Clinic.WORKING).exclude(closing_on__lte=timezone.now().date())


class Clinic(TenantMixin):
    """A clinic, one schema. Its staff, key, patients and history are in that schema and nowhere else."""

    class State(models.TextChoices):
        SETUP = "setup"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        CLOSING = "closing"
        PURGED = "purged"

    WORKING = (State.SETUP, State.ACTIVE, State.CLOSING)

    objects = ClinicQuerySet.as_manager()

    auto_create_schema = False  # ops.onboarding creates row, schema and tables in one transaction
    auto_drop_schema = False

    schema_name = models.CharField(max_length=63, unique=True, default=new_schema_name, editable=False)
    label = models.CharField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    state_since = models.DateTimeField(default=timezone.now)
    state_reason = models.CharField(max_length=200, blank=True, help_text="Why, for ops. Nothing of a patient.")
    closing_on = models.DateField(null=True, help_text="From this day on nobody gets in.")
    closing_reminded_days = models.PositiveSmallIntegerField(
        null=True, help_text="How early owners were last reminded, in days."
    )
    purged_at = models.DateTimeField(null=True, help_text="When nothing was left of it but this row and its labels.")
    certificate = models.JSONField(null=True, help_text="What a purge removed, in numbers.")
    sync_due_at = models.DateTimeField(default=timezone.now, db_index=True)
    # How its mirror and its key stood after the latest turn: copies for lists and metrics. The truth is in its schema.
    sync_state = models.CharField(max_length=16, default="no_key")
    key_state = models.CharField(max_length=10, default="missing", db_default="missing")
    checked_at = models.DateTimeField(null=True, help_text="Its patients are mirrored as of then.")
    has_more = models.BooleanField(
        default=True, help_text="A first import, or a latest turn that ended with more to do."
    )
    # What the latest check of its access log found, kept where whoever rewrites the log does not reach.
    audit_length = models.PositiveBigIntegerField(default=0, help_text="Lines of the log when it last held.")
    audit_head = models.CharField(max_length=64, blank=True, help_text="The digest of the last of them.")
    audit_broken_at = models.PositiveBigIntegerField(null=True, help_text="The first line that is not as written.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=_label_rule("label"), name="clinic_label_is_a_subdomain"),
            models.CheckConstraint(
                condition=Q(schema_name__regex=r"^clinic_[0-9a-f]{16}$"), name="clinic_schema_name_is_a_surrogate"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["setup", "active", "suspended", "closing", "purged"]), name="clinic_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="closing", closing_on__isnull=False) | ~Q(state="closing") & Q(closing_on=None),
                name="clinic_that_closes_has_a_day",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_working(self) -> bool:
        """As ClinicQuerySet.working says of many."""
        return self.state in self.WORKING and not self.is_closed

    @property
    def state_word(self) -> str:
        """As its state, and `closed` for one past its last day."""
        return "closed" if self.is_closed else self.state

    @property
    def is_closed(self) -> bool:
        """Whether the day has come from which on nobody gets in."""
        return self.closing_on is not None and self.closing_on <= timezone.now().date()


class Domain(DomainMixin):
    """A label that leads to a clinic. `domain` holds the label alone: BASE_DOMAIN is the environment's to say."""

    class Meta:
        constraints = [
            models.CheckConstraint(condition=_label_rule("domain"), name="domain_is_a_label"),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(is_primary=True), name="one_primary_domain_for_each_clinic"
            ),
        ]


class KeyBudget(models.Model):
    """When requests were made with one Cliniko key lately, whichever clinic or process made them.

    `fingerprint` is a keyed digest: it tells that two keys are the same and nothing else about them.
    """

    fingerprint = models.CharField(max_length=32, primary_key=True)
    background = ArrayField(models.DateTimeField(), default=list)
    launches = ArrayField(models.DateTimeField(), default=list)
    blocked_until = models.DateTimeField(null=True, help_text="Cliniko said 429: nothing is asked before.")
    used_at = models.DateTimeField(default=timezone.now)


class MetricSample(models.Model):
    """A number for monitoring that all processes add to: see tenants.metrics. Nothing of a clinic, a person, a patient.

    `name` and `labels` are those of a sample that Prometheus reads.
    """

    name = models.CharField(max_length=80)
    labels = models.JSONField(default=dict)
    value = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="one_tally_of_a_name_and_labels")]
