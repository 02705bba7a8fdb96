"""Patients, appointments, classes and attendees with every field present and empty."""

from typing import Any


def blank_patient() -> dict[str, Any]:
    empty_text = (
        "title email address_1 address_2 address_3 city state post_code country emergency_contact occupation "
        "referral_source notes appointment_notes medicare medicare_reference_number dva_card_number old_reference_id "
        "invoice_default_to invoice_email invoice_extra_information"
    )
    unset = (
        "preferred_first_name date_of_birth sex gender gender_identity pronouns country_code time_zone "
        "accepted_privacy_policy accepted_email_marketing accepted_sms_marketing concession_type referring_doctor "
        "merged_at merged_with_patient"
    )
    return {
        "first_name": "",
        "last_name": "",
        **dict.fromkeys(empty_text.split(), ""),
        **dict.fromkeys(unset.split()),
        "reminder_type": "None",
        "receives_confirmation_emails": False,
        "patient_phone_numbers": [],
        "custom_fields": {"sections": []},
    }


def blank_appointment() -> dict[str, Any]:
    unset = (
        "notes cancellation_note cancellation_reason invoice_status treatment_note_status booking_ip_address repeats"
    )
    return {
        "starts_at": None,
        "ends_at": None,
        "patient_arrived": False,
        "did_not_arrive": False,
        "email_reminder_sent": False,
        "sms_reminder_sent": False,
        "cancellation_reason_description": "",
        "patient_name": "",
        **dict.fromkeys(unset.split()),
        "practitioner": None,
        "business": None,
        "appointment_type": None,
    }


def blank_class() -> dict[str, Any]:
    unset = "notes repeats practitioner business appointment_type"
    return {"starts_at": None, "ends_at": None, "max_attendees": 8, **dict.fromkeys(unset.split())}


def blank_attendee() -> dict[str, Any]:
    """`arrived` is null until attendance is recorded."""
    unset = (
        "arrived booking_ip_address cancellation_note cancellation_reason invoice_status notes treatment_note_status "
        "booking"
    )
    return {
        "cancellation_reason_description": "",
        "email_reminder_sent": False,
        "sms_reminder_sent": False,
        **dict.fromkeys(unset.split()),
    }
