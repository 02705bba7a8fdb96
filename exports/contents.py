"""What of a clinic's schema is exported, column by column, and what is left out and why.

Tables are named, not imported: the rooms above keep theirs to themselves, and this page can be read by whoever asks
what is in an export. A table or column that is not named here fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """What goes into `<name>.jsonl` and `<name>.csv`.

    `columns` are the table's own, `computed` are expressions of SQL over `held`. `sheet` are the headings of the CSV:
    columns, computed ones, or fields of the payload; empty for all of the first two. `without` says why a column stays.
    """

    model: str
    name: str
    says: str
    columns: tuple[str, ...]
    sheet: tuple[str, ...] = ()
    computed: Mapping[str, str] = field(default_factory=dict)
    joins: str = ""
    order: str = ""
    without: Mapping[str, str] = field(default_factory=dict)


_OURS = ("cliniko_id", "payload", "updated_at", "archived_at", "deleted_at", "first_seen_at", "written_at")
_SEQUENCE = {"sequence": "orders answers of Cliniko among each other"}
_SEARCHED = "made of the names and numbers in the payload, to search by"
_BOOKING = ("practitioner_id", "business_id", "appointment_type_id", "starts_at", "ends_at")
_ENDS = "updated_at archived_at deleted_at"
_PHONES = """(
    SELECT string_agg(concat_ws(' ', phone ->> 'phone_type', phone ->> 'number'), '; ')
    FROM jsonb_array_elements(CASE jsonb_typeof(held.payload -> 'patient_phone_numbers')
        WHEN 'array' THEN held.payload -> 'patient_phone_numbers' ELSE '[]' END) AS phone)"""
_WITH_WHOM = """
    LEFT JOIN sync_practitioner AS practitioner ON practitioner.cliniko_id = held.practitioner_id
    LEFT JOIN sync_business AS business ON business.cliniko_id = held.business_id
    LEFT JOIN sync_appointmenttype AS kind ON kind.cliniko_id = held.appointment_type_id"""
_NAMES = {"practitioner": "practitioner.name", "business": "business.name", "appointment_type": "kind.name"}
_PATIENT = "LEFT JOIN sync_patient AS patient ON patient.cliniko_id = held.patient_id"
_PATIENT_NAME = {
    "patient": "concat_ws(' ', nullif(patient.payload ->> 'first_name', ''), patient.payload ->> 'last_name')"
}
# As audit/migrations/0001_initial.py has it: what the digest is of.
_DIGESTED = """jsonb_build_array(held.previous, held.id, held.user_id, held.user_email, held.action, held.patient_id,
    held.details, held.request_id, extract(epoch FROM held.occurred_at))::text"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _mirrored(
    model: str,
    name: str,
    says: str,
    *columns: str,
    sheet: str,
    computed: Mapping[str, str] | None = None,
    joins: str = "",
    without: Mapping[str, str] | None = None,
) -> Table:
    """A table of the mirror: the payload as Cliniko gave it, and the columns that all of these have."""
    held = (*_OURS, *columns)
    return Table(model, name, says, held, _words(sheet), computed or {}, joins, without=_SEQUENCE | dict(without or {}))


TABLES = (
    _mirrored(
        "sync.Patient",
        "patients",
        "the patients of the Cliniko account, archived, merged and deleted ones too",
        "merged_into",
        "date_of_birth",
        sheet="cliniko_id title first_name preferred_first_name last_name date_of_birth sex email phones address_1"
        " address_2 address_3 city state post_code country emergency_contact occupation medicare"
        f" medicare_reference_number dva_card_number notes appointment_notes merged_into created_at {_ENDS}",
        computed={"phones": _PHONES},
        without=dict.fromkeys(("sort_name", "search_names", "search_phones"), _SEARCHED),
    ),
    _mirrored(
        "sync.MedicalAlert",
        "medical_alerts",
        "the medical alerts of patients",
        "patient_id",
        "name",
        sheet=f"cliniko_id patient_id patient name created_at {_ENDS}",
        computed=_PATIENT_NAME,
        joins=_PATIENT,
    ),
    _mirrored(
        "sync.Appointment",
        "individual_appointments",
        "appointments, cancelled ones too",
        "patient_id",
        *_BOOKING,
        "cancelled_at",
        sheet="cliniko_id patient_id patient_name starts_at ends_at practitioner business appointment_type"
        " patient_arrived did_not_arrive cancelled_at cancellation_reason_description notes practitioner_id business_id"
        f" appointment_type_id created_at {_ENDS}",
        computed=_NAMES,
        joins=_WITH_WHOM,
    ),
    _mirrored(
        "sync.GroupAppointment",
        "group_appointments",
        "classes; who has a place in one is in attendees",
        *_BOOKING,
        sheet="cliniko_id starts_at ends_at practitioner business appointment_type max_attendees notes practitioner_id"
        f" business_id appointment_type_id created_at {_ENDS}",
        computed=_NAMES,
        joins=_WITH_WHOM,
    ),
    _mirrored(
        "sync.Attendee",
        "attendees",
        "places of patients in appointments and classes (booking_id)",
        "patient_id",
        "booking_id",
        "cancelled_at",
        sheet="cliniko_id booking_id patient_id patient arrived cancelled_at cancellation_reason_description notes"
        f" created_at {_ENDS}",
        computed=_PATIENT_NAME,
        joins=_PATIENT,
    ),
    _mirrored(
        "sync.Practitioner",
        "practitioners",
        "practitioners, inactive ones too",
        "name",
        sheet=f"cliniko_id name active created_at {_ENDS}",
    ),
    _mirrored("sync.Business", "businesses", "businesses", "name", sheet=f"cliniko_id name created_at {_ENDS}"),
    _mirrored(
        "sync.AppointmentType",
        "appointment_types",
        "kinds of appointments and classes",
        "name",
        sheet=f"cliniko_id name duration_in_minutes category created_at {_ENDS}",
    ),
    Table(
        "sync.PatientChange",
        "patient_changes",
        "what changed in patients' records, for as long as the clinic keeps that: see retention",
        _words("id patient_id field before after changed_at"),
        order="id",
    ),
    Table(
        "sync.RefusedPayload",
        "refused_payloads",
        "records that Sidechart could not read, as they were received, and why",
        _words("id resource cliniko_id patient_id payload reason refused_at"),
        order="id",
    ),
    Table(
        "sync.Cursor",
        "lists",
        "the lists of Cliniko that records are copied from; everything Cliniko held at checked_at is in this export",
        _words("resource imported_at checked_at total refused_at"),
        order="resource",
        without=dict.fromkeys(
            _words("after_id cursor position walk_clock walked due_at failures asks_hidden"), "how far the sync is"
        ),
    ),
    Table(
        "launch.Note",
        "notes",
        "the clinic's own notes on patients as they read now, deleted ones too",
        _words(
            "id patient_id text version author created_at editor edited_at pinned deleted_by deleted_at set_aside_at"
        ),
        order="id",
    ),
    Table(
        "launch.NoteVersion",
        "note_versions",
        "what each note said at first and after each edit",
        _words("id note_id number text author author_email written_at"),
        order="id",
    ),
    Table(
        "launch.Draft",
        "drafts",
        "words about patients that somebody typed and has not saved as a note",
        _words("id user_id patient_id note_id version text saved_at"),
        order="id",
        without={"view_id": "which screen it was typed on"},
    ),
    Table(
        "audit.Event",
        "audit_log",
        "who did what, every line there is, with the digests that chain them",
        _words("id occurred_at user_id user_email action patient_id details request_id previous digest"),
        computed={"digested": _DIGESTED},
        order="id",
    ),
    Table(
        "accounts.User",
        "staff",
        "everybody who has or had an account at the clinic",
        _words("id email name role is_active date_joined last_login"),
        order="id",
        without={"password": "a secret, if a hashed one"},
    ),
    Table(
        "accounts.Invitation",
        "invitations",
        "who was invited by whom, and what became of it",
        _words("id email role invited_by_id created_at expires_at accepted_at revoked_at"),
        order="id",
        without={"token_digest": "made of the secret link"},
    ),
    Table(
        "accounts.SecurityPolicy",
        "security_policy",
        "the rules of sign-in; no line: the defaults hold",
        _words("require_second_factor_from idle_minutes absolute_hours"),
        without={"id": "there is one row"},
    ),
    Table(
        "launch.ClinicSettings",
        "clinic_settings",
        "what was chosen in the clinic settings; no line: the defaults hold",
        _words("shows_card_numbers first_steps_put_off first_steps_ended_at"),
        without={"id": "there is one row"},
    ),
    Table(
        "sync.ExcludedField",
        "fields_left_out",
        "fields of Cliniko's records that the clinic chose not to keep: in no other file, unless restoring",
        _words("resource field group_name since restoring"),
        order="id",
        without={"id": "a row's number"},
    ),
    Table(
        "sync.RetentionPolicy",
        "retention",
        "for how many days things are kept; no line: the defaults hold",
        _words("changes_days deleted_days"),
        without={"id": "there is one row"},
    ),
    Table(
        "sync.Connection",
        "connection",
        "the Cliniko account and the key's last four characters",
        _words(
            "account_name account_subdomain shard time_zone patient_word key_last4 key_user_name key_user_role"
            " key_state connected_at account_since state state_since"
        ),
        without={
            "id": "there is one row",
            "sealed_key": "the key to the Cliniko account",
            "lease_token": "a token",
            "lease_until": "says whether the sync is at work",
            "account_checked_at": "says when the sync last asked for name and time zone",
            "resume_at": "says when the sync goes on",
            "failures": "counts what Cliniko did not answer",
            "owners_notified_at": "says whether a mail went out",
        },
    ),
)

NOT_EXPORTED = {
    "accounts.OpenSession": "sign-ins that have not ended",
    "accounts.UsedTicket": "digests of secret tickets",
    "accounts.CacheEntry": "counts of tries at sign-in, kept for minutes",
    "account.EmailAddress": "empty: an e-mail address is in staff",
    "account.EmailConfirmation": "empty, and would hold secrets",
    "mfa.Authenticator": "secrets of second factors",
    "sessions.Session": "sign-ins that have not ended",
    "contenttypes.ContentType": "names of tables",
    "admin.LogEntry": "empty: what was done is in audit_log",
    "auth.Permission": "Django's own, not used: a role is in staff",
    "auth.Group": "Django's own, empty",
    "auth.Group_permissions": "Django's own, empty",
    "launch.ButtonClick": "the latest click of each kind on the button in Cliniko, to set it up by",
    "exports.Export": "exports that were made: asking for one and fetching it are lines of audit_log",
    "sync.PatientRefresh": "when a patient was last asked for while somebody looked",
    "sync.Reconciliation": "how far the sync's comparison is",
    "sync.SyncRun": "turns of the sync in the last month, counts only",
}
