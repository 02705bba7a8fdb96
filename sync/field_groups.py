"""What of Cliniko's records a clinic may choose not to keep, and what is kept in any case, field by field.

A field that Cliniko adds one day is kept until it stands in a group here; putting it into one takes a migration that
adds it to `ExcludedField` where the group is left out.
# Reference: docs.api.cliniko.com, "The patient object" and the like; docs/privacy.md
"""

from dataclasses import dataclass

Fields = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class FieldGroup:
    """Fields that are kept or left out together, by resource."""

    name: str
    label: str
    sentence: str
    fields: Fields


@dataclass(frozen=True)
class RequiredFields:
    """What the house cannot do without, and what for."""

    label: str
    why: str
    fields: Fields


def _of_patients(fields: str) -> Fields:
    return {"patients": tuple(fields.split())}


def _of_each(resources: str, fields: str) -> Fields:
    return dict.fromkeys(resources.split(), tuple(fields.split()))


_BOOKINGS = "individual_appointments attendees group_appointments"

FIELD_GROUPS = (
    FieldGroup(
        "card_numbers",
        "Card numbers",
        "Medicare and DVA numbers.",
        _of_patients("medicare medicare_reference_number dva_card_number"),
    ),
    FieldGroup("concession", "Concession", "Which concession somebody has.", _of_patients("concession_type")),
    FieldGroup("email", "E-mail address", "To write to somebody with one click.", _of_patients("email")),
    FieldGroup(
        "address",
        "Address",
        "Street, town and country.",
        _of_patients("address_1 address_2 address_3 city state post_code country country_code time_zone"),
    ),
    FieldGroup(
        "emergency_contact", "Emergency contact", "Whom to call, as written.", _of_patients("emergency_contact")
    ),
    FieldGroup(
        "sex_and_gender",
        "Sex, gender and pronouns",
        "As they stand beside the name.",
        _of_patients("sex gender gender_identity pronouns"),
    ),
    FieldGroup(
        "occupation_and_referral",
        "Occupation and referral",
        "What somebody does, and who sent them.",
        _of_patients("occupation referral_source referring_doctor"),
    ),
    FieldGroup(
        "marketing",
        "Reminders and marketing",
        "How somebody is reminded, and what they agreed to be sent.",
        _of_patients("reminder_type receives_confirmation_emails accepted_email_marketing accepted_sms_marketing"),
    ),
    FieldGroup(
        "invoicing",
        "Invoicing and old references",
        "To whom invoices go, and the number in an earlier system. On no screen.",
        _of_patients("invoice_default_to invoice_email invoice_extra_information old_reference_id"),
    ),
    FieldGroup(
        "notes",
        "Notes in Cliniko",
        "What stands in Cliniko's notes on somebody, those for appointments too. Not your own notes in Sidechart.",
        _of_patients("notes appointment_notes"),
    ),
    FieldGroup(
        "custom_fields", "Custom fields", "The fields that your clinic made itself.", _of_patients("custom_fields")
    ),
    FieldGroup(
        "appointment_notes",
        "Notes on appointments",
        "Notes on single appointments and places in classes, and why one was cancelled.",
        _of_each(
            "individual_appointments attendees",
            "notes cancellation_note cancellation_reason cancellation_reason_description",
        )
        | {"group_appointments": ("notes",)},
    ),
    FieldGroup(
        "booking_addresses",
        "Where bookings came from",
        "The internet address of whoever booked online. On no screen.",
        _of_each("individual_appointments attendees", "booking_ip_address"),
    ),
)
BY_NAME = {group.name: group for group in FIELD_GROUPS}

REQUIRED = (
    RequiredFields(
        "Cliniko's ids and times",
        "Which record is which, and what was made, changed, archived, merged or deleted when: without them the copy "
        "could show the wrong record.",
        _of_patients(
            "id created_at updated_at archived_at deleted_at merged_at merged_with_patient links medical_alerts "
            "appointments invoices patient_attachments attendees"
        )
        | _of_each(_BOOKINGS, "id created_at updated_at archived_at deleted_at cancelled_at links"),
    ),
    RequiredFields(
        "Names, birth date and phones",
        "To find somebody, to be sure that it is them, and to reach them.",
        _of_patients(
            "first_name last_name preferred_first_name title label date_of_birth patient_phone_numbers",
        ),
    ),
    RequiredFields(
        "Consent to the privacy policy",
        "So that nobody overlooks that it was refused.",
        _of_patients("accepted_privacy_policy"),
    ),
    RequiredFields(
        "Medical alerts",
        "They stand above everything else on the screen; an empty place there could do harm.",
        {"medical_alerts": ()},
    ),
    RequiredFields(
        "Appointments and classes",
        "When, where, with whom, and whether somebody came. The names of practitioners, places and types with them.",
        _of_each(
            _BOOKINGS,
            "starts_at ends_at patient patient_name practitioner business appointment_type booking patient_arrived "
            "did_not_arrive arrived max_attendees repeats email_reminder_sent sms_reminder_sent invoice_status "
            "treatment_note_status conflicts attendees has_patient_appointment_notes",
        ),
    ),
)


# Those that a page of a patient has a place of its own for, where an empty one could be taken for "there is nothing".
SHOWN_IN_PLACE = {"email", "address", "emergency_contact", "notes", "custom_fields", "appointment_notes"}


@dataclass(frozen=True)
class NotStored:
    """A group that is not here, or not yet again."""

    group: FieldGroup
    restoring: bool

    @property
    def sentence(self) -> str:
        if self.restoring:
            return "Being read from Cliniko again. Until then, look there."
        return "Not kept here, by your clinic's choice: look in Cliniko."


def not_stored(left_out: dict[str, bool], payload: dict[str, object]) -> tuple[NotStored, ...]:
    """The groups that a patient's page has to tell of. `left_out` says of each whether it is coming back; those that
    came back with this patient's payload are here."""
    found = (NotStored(BY_NAME[name], restoring) for name, restoring in left_out.items() if name in BY_NAME)
    return tuple(
        each
        for each in sorted(found, key=lambda each: FIELD_GROUPS.index(each.group))
        if not (each.restoring and payload.keys() & set(each.group.fields.get("patients", ())))
    )
