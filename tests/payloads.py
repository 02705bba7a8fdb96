"""Payloads as Cliniko sends them."""

from typing import Any

API = "https://api.au1.cliniko.com/v1"


def patient_payload(cliniko_id: str = "42", **fields: Any) -> dict[str, Any]:
    """Return a patient's payload; `fields` replace or add fields."""
    return {
        "id": cliniko_id,
        "first_name": "Ada",
        "last_name": "Lindqvist",
        "preferred_first_name": "",
        "title": None,
        "date_of_birth": "1990-04-17",
        "sex": "Female",
        "email": "ada@example.com",
        "patient_phone_numbers": [{"phone_type": "Mobile", "number": "0491 570 006"}],
        "address_1": "1 Example Street",
        "city": "Bondi",
        "state": "NSW",
        "post_code": "2026",
        "country": "Australia",
        "accepted_privacy_policy": True,
        "custom_fields": {"sections": []},
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "archived_at": None,
        "deleted_at": None,
        "merged_at": None,
        "links": {"self": f"{API}/patients/{cliniko_id}"},
    } | fields


def alert_payload(cliniko_id: str, patient_id: str, name: str, **fields: Any) -> dict[str, Any]:
    """Return a medical alert's payload."""
    return {
        "id": cliniko_id,
        "name": name,
        "patient": {"links": {"self": f"{API}/patients/{patient_id}"}},
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "archived_at": None,
        "deleted_at": None,
    } | fields


def appointment_payload(cliniko_id: str, patient_id: str, starts_at: str, **fields: Any) -> dict[str, Any]:
    """Return an individual appointment's payload; `starts_at` in UTC, such as 2026-03-01T09:00:00Z."""
    return {
        "id": cliniko_id,
        "starts_at": starts_at,
        "ends_at": starts_at,
        "patient": {"links": {"self": f"{API}/patients/{patient_id}"}},
        "practitioner": {"links": {"self": f"{API}/practitioners/1"}},
        "business": {"links": {"self": f"{API}/businesses/1"}},
        "appointment_type": {"links": {"self": f"{API}/appointment_types/1"}},
        "patient_arrived": None,
        "did_not_arrive": None,
        "cancelled_at": None,
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "archived_at": None,
        "deleted_at": None,
    } | fields


def class_payload(cliniko_id: str, starts_at: str, **fields: Any) -> dict[str, Any]:
    """Return a group appointment's payload; `starts_at` in UTC."""
    excluded = ("patient", "patient_arrived", "did_not_arrive", "cancelled_at")
    booking = appointment_payload(cliniko_id, "0", starts_at, max_attendees=8, **fields)
    return {name: value for name, value in booking.items() if name not in excluded}


def attendee_payload(cliniko_id: str, patient_id: str, class_id: str, **fields: Any) -> dict[str, Any]:
    """Return an attendee's payload."""
    return {
        "id": cliniko_id,
        "arrived": None,
        "booking": {"links": {"self": f"{API}/bookings/{class_id}"}},
        "patient": {"links": {"self": f"{API}/patients/{patient_id}"}},
        "cancelled_at": None,
        "cancellation_reason_description": "",
        "notes": None,
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "deleted_at": None,
    } | fields
