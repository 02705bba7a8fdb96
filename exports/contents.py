"""What is exported of sync, audit, accounts and Django's apps, column by column, and what isn't and why."""

from collections.abc import Mapping

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import Model

from accounts.models import CacheEntry, Invitation, OpenSession, SecurityPolicy, UsedTicket, User
from audit.models import Event
from exports.models import Export
from exports.registry import ExportTable, register_tables
from sync import models as sync

_MIRROR_COLUMNS = ("cliniko_id", "payload", "updated_at", "archived_at", "deleted_at", "first_seen_at", "written_at")
_SEQUENCE = {"sequence": "Orders Cliniko's answers among themselves."}
_SEARCH = "Derived from the payload for searching."
_BOOKING = ("practitioner_id", "business_id", "appointment_type_id", "starts_at", "ends_at")
_ENDS = "updated_at archived_at deleted_at"
_PHONES = """(
    SELECT string_agg(concat_ws(' ', phone ->> 'phone_type', phone ->> 'number'), '; ')
    FROM jsonb_array_elements(CASE jsonb_typeof(source.payload -> 'patient_phone_numbers')
        WHEN 'array' THEN source.payload -> 'patient_phone_numbers' ELSE '[]' END) AS phone)"""
_BOOKING_JOINS = """
    LEFT JOIN sync_practitioner AS practitioner ON practitioner.cliniko_id = source.practitioner_id
    LEFT JOIN sync_business AS business ON business.cliniko_id = source.business_id
    LEFT JOIN sync_appointmenttype AS kind ON kind.cliniko_id = source.appointment_type_id"""
_BOOKING_NAMES = {"practitioner": "practitioner.name", "business": "business.name", "appointment_type": "kind.name"}
_PATIENT_JOIN = "LEFT JOIN sync_patient AS patient ON patient.cliniko_id = source.patient_id"
_PATIENT_NAME = {
    "patient": "concat_ws(' ', nullif(patient.payload ->> 'first_name', ''), patient.payload ->> 'last_name')"
}
# The text that the trigger in audit/migrations/0001_initial.py digests.
_DIGESTED = """jsonb_build_array(source.previous, source.id, source.user_id, source.user_email, source.action,
    source.patient_id, source.details, source.request_id, extract(epoch FROM source.occurred_at))::text"""
_SINGLE_ROW = {"id": "The table has one row."}


def _mirror(
    model: type[Model],
    name: str,
    description: str,
    columns: str,
    *,
    headings: str,
    computed: Mapping[str, str] | None = None,
    joins: str = "",
    excluded: Mapping[str, str] | None = None,
) -> ExportTable:
    """Return a table of records from Cliniko: their payload, the mirror's own columns and `columns`."""
    return ExportTable(
        model,
        name,
        description,
        (*_MIRROR_COLUMNS, *columns.split()),
        tuple(headings.split()),
        computed or {},
        joins,
        excluded=_SEQUENCE | dict(excluded or {}),
    )


_TABLES = (
    _mirror(
        sync.Patient,
        "patients",
        "Patients, including archived, merged and deleted ones.",
        "merged_into date_of_birth",
        headings="cliniko_id title first_name preferred_first_name last_name date_of_birth sex email phones address_1"
        " address_2 address_3 city state post_code country emergency_contact occupation medicare"
        f" medicare_reference_number dva_card_number notes appointment_notes merged_into created_at {_ENDS}",
        computed={"phones": _PHONES},
        excluded=dict.fromkeys(("sort_name", "search_names", "search_phones"), _SEARCH),
    ),
    _mirror(
        sync.MedicalAlert,
        "medical_alerts",
        "Patients' medical alerts.",
        "patient_id name",
        headings=f"cliniko_id patient_id patient name created_at {_ENDS}",
        computed=_PATIENT_NAME,
        joins=_PATIENT_JOIN,
    ),
    _mirror(
        sync.Appointment,
        "individual_appointments",
        "Individual appointments, including cancelled ones.",
        f"patient_id {' '.join(_BOOKING)} cancelled_at",
        headings="cliniko_id patient_id patient_name starts_at ends_at practitioner business appointment_type"
        " patient_arrived did_not_arrive cancelled_at cancellation_reason_description notes practitioner_id business_id"
        f" appointment_type_id created_at {_ENDS}",
        computed=_BOOKING_NAMES,
        joins=_BOOKING_JOINS,
    ),
    _mirror(
        sync.GroupAppointment,
        "group_appointments",
        "Group appointments. Their patients are in attendees.",
        " ".join(_BOOKING),
        headings="cliniko_id starts_at ends_at practitioner business appointment_type max_attendees notes"
        f" practitioner_id business_id appointment_type_id created_at {_ENDS}",
        computed=_BOOKING_NAMES,
        joins=_BOOKING_JOINS,
    ),
    _mirror(
        sync.Attendee,
        "attendees",
        "Patients' places in individual and group appointments (booking_id).",
        "patient_id booking_id cancelled_at",
        headings="cliniko_id booking_id patient_id patient arrived cancelled_at cancellation_reason_description notes"
        f" created_at {_ENDS}",
        computed=_PATIENT_NAME,
        joins=_PATIENT_JOIN,
    ),
    _mirror(
        sync.Practitioner,
        "practitioners",
        "Practitioners, including inactive ones.",
        "name",
        headings=f"cliniko_id name active created_at {_ENDS}",
    ),
    _mirror(sync.Business, "businesses", "Businesses.", "name", headings=f"cliniko_id name created_at {_ENDS}"),
    _mirror(
        sync.AppointmentType,
        "appointment_types",
        "Appointment types.",
        "name",
        headings=f"cliniko_id name duration_in_minutes category created_at {_ENDS}",
    ),
    ExportTable(
        sync.PatientChange,
        "patient_changes",
        "Changes to patients' records, for as long as the clinic stores them (see retention).",
        tuple("id patient_id field before after changed_at".split()),
        order="id",
    ),
    ExportTable(
        sync.RefusedPayload,
        "refused_payloads",
        "Records that Sidechart could not read, as received, with the reason.",
        tuple("id resource cliniko_id patient_id payload reason refused_at".split()),
        order="id",
    ),
    ExportTable(
        sync.Cursor,
        "lists",
        "The Cliniko lists that records are copied from. The export has every record that Cliniko had at checked_at.",
        tuple("resource imported_at checked_at total refused_at".split()),
        order="resource",
        excluded=dict.fromkeys(
            "after_id cursor position walk_clock walked due_at failures asks_hidden".split(), "The sync's progress."
        ),
    ),
    ExportTable(
        Event,
        "audit_log",
        "Who did what: every entry, with the digests that chain them.",
        tuple("id occurred_at user_id user_email action patient_id details request_id previous digest".split()),
        computed={"digested": _DIGESTED},
        order="id",
    ),
    ExportTable(
        User,
        "staff",
        "Everyone who has or had an account at the clinic.",
        tuple("id email name role is_active date_joined last_login".split()),
        order="id",
        excluded={"password": "A secret, although hashed."},
    ),
    ExportTable(
        Invitation,
        "invitations",
        "Invitations: who sent them, who received them, and whether they were accepted.",
        tuple("id email role invited_by_id created_at expires_at accepted_at revoked_at".split()),
        order="id",
        excluded={"token_digest": "Derived from the secret link."},
    ),
    ExportTable(
        SecurityPolicy,
        "security_policy",
        "The clinic's sign-in rules. No record: the defaults apply.",
        tuple("require_second_factor_from idle_minutes absolute_hours".split()),
        excluded=_SINGLE_ROW,
    ),
    ExportTable(
        sync.ExcludedField,
        "fields_left_out",
        "Fields of Cliniko records that the clinic chose not to store. No other file has them, unless restoring.",
        tuple("resource field group_name since restoring".split()),
        order="id",
        excluded={"id": "A row number."},
    ),
    ExportTable(
        sync.RetentionPolicy,
        "retention",
        "For how many days changes and deleted records are stored. No record: the defaults apply.",
        tuple("changes_days deleted_days".split()),
        excluded=_SINGLE_ROW,
    ),
    ExportTable(
        sync.Connection,
        "connection",
        "The Cliniko account, and the API key's last four characters.",
        tuple(
            "account_name account_subdomain shard time_zone patient_word key_last4 key_user_name key_user_role"
            " key_state connected_at account_since state state_since".split()
        ),
        excluded=_SINGLE_ROW
        | {
            "sealed_key": "The API key to the Cliniko account.",
            "lease_token": "A token.",
            "lease_until": "Whether a sync is running.",
            "account_checked_at": "When the sync last requested the account's details.",
            "resume_at": "When the sync resumes.",
            "failures": "A count of failed requests.",
            "owners_notified_at": "When owners were last emailed about the key.",
        },
    ),
)

_EXCLUDED: dict[type[Model], str] = {
    Export: "Exports themselves: requests and downloads are in audit_log.",
    sync.PatientRefresh: "When a patient was last refreshed for a page.",
    sync.Reconciliation: "The progress of the sync's comparison.",
    sync.SyncRun: "Sync runs of the last month: counts only.",
    OpenSession: "Open sessions.",
    UsedTicket: "Digests of secret tickets.",
    CacheEntry: "Counts of sign-in attempts, stored for minutes.",
    EmailAddress: "Empty: email addresses are in staff.",
    EmailConfirmation: "Empty, and would hold secrets.",
    Authenticator: "Secrets of two-step verification.",
    Session: "Open sessions.",
    ContentType: "Names of tables.",
    LogEntry: "Empty: audit_log has every action.",
    Permission: "Django's own, unused: roles are in staff.",
    Group: "Django's own, empty.",
    Group.permissions.through: "Django's own, empty.",
}

register_tables(_TABLES, excluded=_EXCLUDED)
