"""Tables of the public schema: the registry of clinics, requests per API key, and metrics."""

import secrets

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_tenants.models import DomainMixin, TenantMixin

from tenants.labels import LABEL_PATTERN, RESERVED_LABELS


def new_schema_name() -> str:
    """Return a random name: a clinic can be renamed, its schema can't."""
    return f"clinic_{secrets.token_hex(8)}"


def _label_rule(field: str) -> Q:
    reserved = Q(**{f"{field}__startswith": "xn--"}) | Q(**{f"{field}__in": sorted(RESERVED_LABELS)})
    return Q(**{f"{field}__regex": LABEL_PATTERN}) & ~reserved


class ClinicQuerySet(models.QuerySet["Clinic"]):
    def working(self) -> "ClinicQuerySet":
        """Return the clinics that staff can use and that are synced: neither suspended, purged nor closed.

        A closing clinic closes at midnight UTC.
        """
        return self.filter(state__in=Clinic.WORKING).exclude(closing_on__lte=timezone.now().date())


class Clinic(TenantMixin):
    """A clinic. Its staff, API key, patients and audit log are in its own schema only."""

    class State(models.TextChoices):
        SETUP = "setup"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        CLOSING = "closing"
        PURGED = "purged"

    WORKING = (State.SETUP, State.ACTIVE, State.CLOSING)

    objects = ClinicQuerySet.as_manager()

    auto_create_schema = False  # ops.onboarding creates the row, schema and tables in one transaction
    auto_drop_schema = False

    schema_name = models.CharField(max_length=63, unique=True, default=new_schema_name, editable=False)
    label = models.CharField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    state_since = models.DateTimeField(default=timezone.now)
    state_reason = models.CharField(max_length=200, blank=True, help_text="Why, for operators. Never about a patient.")
    closing_on = models.DateField(null=True, help_text="The first day on which staff can no longer sign in.")
    closing_reminded_days = models.PositiveSmallIntegerField(
        null=True, help_text="Days before closing at which owners were last reminded."
    )
    purged_at = models.DateTimeField(null=True, help_text="When all but this row and its labels was deleted.")
    certificate = models.JSONField(null=True, help_text="The counts of what a purge deleted.")
    # Copies for scheduling, lists and metrics, from sync and audit. Reference: docs/decisions/0028
    sync_due_at = models.DateTimeField(default=timezone.now, db_index=True)
    sync_state = models.CharField(max_length=16, default="no_key")
    key_state = models.CharField(max_length=10, default="missing", db_default="missing")
    checked_at = models.DateTimeField(null=True, help_text="When its patients were last in line with Cliniko.")
    has_more = models.BooleanField(default=True, help_text="Whether its first import or last sync is unfinished.")
    audit_length = models.PositiveBigIntegerField(default=0, help_text="Audit log entries when it was last intact.")
    audit_head = models.CharField(max_length=64, blank=True, help_text="The digest of the last of these entries.")
    audit_broken_at = models.PositiveBigIntegerField(null=True, help_text="The first entry that was tampered with.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=_label_rule("label"), name="clinic_label_is_a_subdomain"),
            models.CheckConstraint(
                condition=Q(schema_name__regex=r"^clinic_[0-9a-f]{16}$"), name="clinic_schema_name_is_random"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["setup", "active", "suspended", "closing", "purged"]), name="clinic_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="closing", closing_on__isnull=False) | ~Q(state="closing") & Q(closing_on=None),
                name="closing_clinic_has_a_date",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_working(self) -> bool:
        """Return what ClinicQuerySet.working returns for many."""
        return self.state in self.WORKING and not self.is_closed

    @property
    def display_state(self) -> str:
        """Return its state, or `closed` once its closing date has come."""
        return "closed" if self.is_closed else self.state

    @property
    def is_closed(self) -> bool:
        return self.closing_on is not None and self.closing_on <= timezone.now().date()


class Domain(DomainMixin):
    """A label of a clinic. `domain` is the label only, as BASE_DOMAIN comes from the environment.

    A renamed clinic keeps its former labels, which are not primary.
    """

    class Meta:
        constraints = [
            models.CheckConstraint(condition=_label_rule("domain"), name="domain_is_a_label"),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(is_primary=True), name="one_primary_domain_for_each_clinic"
            ),
        ]


class KeyBudget(models.Model):
    """A Cliniko API key's request budget: the times of its latest requests, by all clinics and processes.

    `fingerprint` is a keyed digest, which reveals only whether two keys are the same.
    """

    fingerprint = models.CharField(max_length=32, primary_key=True)
    background = ArrayField(models.DateTimeField(), default=list)
    launches = ArrayField(models.DateTimeField(), default=list)
    blocked_until = models.DateTimeField(null=True, help_text="No requests until then: Cliniko answered 429.")
    used_at = models.DateTimeField(default=timezone.now)


class MetricSample(models.Model):
    """A Prometheus sample that all processes add to (see tenants.metrics). Never about a clinic, person or patient."""

    name = models.CharField(max_length=80)
    labels = models.JSONField(default=dict)
    value = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="unique_metric_sample")]
