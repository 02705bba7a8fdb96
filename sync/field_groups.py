"""The fields of Cliniko's records that a clinic may choose not to store, in groups, and those that are always stored.

A field that Cliniko adds later is stored until it's in a group here. Adding it to a group needs a migration that adds
it to `ExcludedField` in clinics that exclude the group.
# Reference: docs.api.cliniko.com, "The patient object" and the like; docs/privacy.md
"""

from dataclasses import dataclass

Fields = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class FieldGroup:
    """Fields that are stored or excluded together, by resource."""

    name: str
    label: str
    description: str
    fields: Fields


@dataclass(frozen=True)
class RequiredFields:
    """Fields that Sidechart can't work without, and why."""

    label: str
    why: str
    fields: Fields


def _of(resources: str, fields: str) -> Fields:
    return dict.fromkeys(resources.split(), tuple(fields.split()))


_BOOKINGS = "individual_appointments attendees group_appointments"

FIELD_GROUPS = (
    FieldGroup(
        "card_numbers",
        "Card numbers",
        "Medicare and DVA numbers.",
        _of("patients", "medicare medicare_reference_number dva_card_number"),
    ),
    FieldGroup("concession", "Concession", "The type of concession.", _of("patients", "concession_type")),
    FieldGroup("email", "Email address", "To email someone with one click.", _of("patients", "email")),
    FieldGroup(
        "address",
        "Address",
        "Street, town and country.",
        _of("patients", "address_1 address_2 address_3 city state post_code country country_code time_zone"),
    ),
    FieldGroup(
        "emergency_contact", "Emergency contact", "As written in Cliniko.", _of("patients", "emergency_contact")
    ),
    FieldGroup(
        "sex_and_gender",
        "Sex, gender and pronouns",
        "Shown beside the name.",
        _of("patients", "sex gender gender_identity pronouns"),
    ),
    FieldGroup(
        "occupation_and_referral",
        "Occupation and referral",
        "Occupation, referral source and referring doctor.",
        _of("patients", "occupation referral_source referring_doctor"),
    ),
    FieldGroup(
        "marketing",
        "Reminders and marketing",
        "Reminder type, confirmation emails and marketing preferences.",
        _of("patients", "reminder_type receives_confirmation_emails accepted_email_marketing accepted_sms_marketing"),
    ),
    FieldGroup(
        "invoicing",
        "Invoicing and old reference IDs",
        "Who invoices go to, and the ID in an earlier system. Not shown on any page.",
        _of("patients", "invoice_default_to invoice_email invoice_extra_information old_reference_id"),
    ),
    FieldGroup(
        "notes",
        "Notes in Cliniko",
        "Cliniko's patient notes and appointment notes. Not your team's notes in Sidechart.",
        _of("patients", "notes appointment_notes"),
    ),
    FieldGroup(
        "custom_fields", "Custom fields", "The fields that your clinic added.", _of("patients", "custom_fields")
    ),
    FieldGroup(
        "appointment_notes",
        "Notes on appointments",
        "Notes on single appointments and attendees, and reasons for cancellations.",
        _of(
            "individual_appointments attendees",
            "notes cancellation_note cancellation_reason cancellation_reason_description",
        )
        | {"group_appointments": ("notes",)},
    ),
    FieldGroup(
        "booking_addresses",
        "IP addresses of bookings",
        "The IP address of people who booked online. Not shown on any page.",
        _of("individual_appointments attendees", "booking_ip_address"),
    ),
)
BY_NAME = {group.name: group for group in FIELD_GROUPS}

REQUIRED = (
    RequiredFields(
        "Cliniko IDs and times",
        "They identify each record and say when it was created, changed, archived, merged or deleted. Without them "
        "Sidechart could show the wrong record.",
        _of(
            "patients",
            "id created_at updated_at archived_at deleted_at merged_at merged_with_patient links medical_alerts "
            "appointments invoices patient_attachments attendees",
        )
        | _of(_BOOKINGS, "id created_at updated_at archived_at deleted_at cancelled_at links"),
    ),
    RequiredFields(
        "Names, date of birth and phone numbers",
        "To find a person, check that it's them, and reach them.",
        _of("patients", "first_name last_name preferred_first_name title label date_of_birth patient_phone_numbers"),
    ),
    RequiredFields(
        "Privacy policy accepted",
        "So that no one overlooks that it was declined.",
        _of("patients", "accepted_privacy_policy"),
    ),
    RequiredFields(
        "Medical alerts", "They come first on the screen. Missing alerts could do harm.", {"medical_alerts": ()}
    ),
    RequiredFields(
        "Appointments and group appointments",
        "When, where and who with, and whether the person arrived. Includes the names of practitioners, businesses and "
        "appointment types.",
        _of(
            _BOOKINGS,
            "starts_at ends_at patient patient_name practitioner business appointment_type booking patient_arrived "
            "did_not_arrive arrived max_attendees repeats email_reminder_sent sms_reminder_sent invoice_status "
            "treatment_note_status conflicts attendees has_patient_appointment_notes",
        ),
    ),
)

# The patient screen has a place for each of these, where an empty one could look like "nothing recorded".
SHOWN_IN_PLACE = {"email", "address", "emergency_contact", "notes", "custom_fields", "appointment_notes"}


@dataclass(frozen=True)
class NotStored:
    """A group that a record lacks: excluded, or `restoring` and not read again yet."""

    group: FieldGroup
    restoring: bool

    @property
    def sentence(self) -> str:
        if self.restoring:
            return "Being copied from Cliniko again. Until then, check in Cliniko."
        return "Not stored here, by your clinic's choice. Check in Cliniko."


def not_stored(excluded: dict[str, bool], payload: dict[str, object]) -> tuple[NotStored, ...]:
    """Return the groups that this payload lacks. `excluded` says for each excluded group whether it's being restored;
    such a group counts as stored once the payload has one of its fields."""
    return tuple(
        NotStored(group, excluded[group.name])
        for group in FIELD_GROUPS
        if group.name in excluded
        and not (excluded[group.name] and payload.keys() & set(group.fields.get("patients", ())))
    )
