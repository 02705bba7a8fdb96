"""The users, practitioners, businesses and appointment types of an invented clinic."""

from typing import Any

STAFF = (
    ("Dr", "Imogen", "Ashdown", "Physiotherapist"),
    ("Mr", "Tāne", "Kererū", "Osteopath"),
    ("Ms", "Mei-Lin", "Zhao", "Physiotherapist"),
    ("Mrs", "Ingrid", "Østergård", "Exercise physiologist"),
    ("Mr", "Rafael", "da Conceição", "Remedial massage therapist"),
    ("Ms", "Sunniva", "O'Farrell", "Podiatrist"),
)
TYPES = (
    ("Initial consultation", 45, "#2f6f8f"),
    ("Standard consultation", 30, "#3f8f5f"),
    ("Long consultation", 60, "#7f5fa0"),
    ("Telehealth review", 20, "#a0702f"),
    ("Post-operative rehabilitation", 45, "#8f3f4f"),
    ("Dry needling", 30, "#4f5f6f"),
)
CLASSES = (("Pilates class", 50, "#b0608f"),)
MAX_ATTENDEES = 8


def users(account: str) -> list[dict[str, Any]]:
    """Return the users: the owner, whose key Sidechart gets, the receptionist and the practitioners."""
    people = [("", "Robin", "Castellane", "administrator"), ("", "Sam", "Okafor-Lind", "receptionist")]
    people += [(title, first, last, "practitioner") for title, first, last, _ in _team(account)]
    return [
        {
            "title": title,
            "first_name": first,
            "last_name": last,
            "email": f"{first.split('-')[0].encode('ascii', 'ignore').decode().lower()}@{account}.example.com",
            "role": role,
            "user_active": True,
            "time_zone": None,
        }
        for title, first, last, role in people
    ]


def practitioners(account: str, user_ids: list[int]) -> list[dict[str, Any]]:
    """Return the practitioners; `user_ids` are their users, in the same order."""
    return [
        {
            "title": title,
            "first_name": first,
            "last_name": last,
            "label": f"{title} {first} {last}",
            "display_name": f"{first} {last}",
            "designation": designation,
            "description": None,
            "active": True,
            "show_in_online_bookings": True,
            "user": str(user_id),
        }
        for (title, first, last, designation), user_id in zip(_team(account), user_ids, strict=True)
    ]


def businesses(clinic: str, country: str) -> list[dict[str, Any]]:
    return [
        {
            "business_name": name,
            "label": name,
            "display_name": name,
            "address_1": f"{number} Example Street",
            "address_2": None,
            "city": "",
            "state": "",
            "post_code": "",
            "country": country,
            "contact_information": "Phone: 02 5550 0100",
            "time_zone": None,
            "show_in_online_bookings": True,
        }
        for name, number in ((clinic, 12), (f"{clinic} – Junction", 88))
    ]


def appointment_types() -> list[dict[str, Any]]:
    treatments = [_type(*each, category="Treatment", max_attendees=1) for each in TYPES]
    return treatments + [_type(*each, category="Class", max_attendees=MAX_ATTENDEES) for each in CLASSES]


def _type(name: str, minutes: int, color: str, *, category: str, max_attendees: int) -> dict[str, Any]:
    return {
        "name": name,
        "category": category,
        "color": color,
        "description": None,
        "duration_in_minutes": minutes,
        "max_attendees": max_attendees,
        "show_in_online_bookings": True,
    }


def _team(account: str) -> tuple[tuple[str, str, str, str], ...]:
    return STAFF[:5] if len(account) % 2 else (*STAFF[2:], STAFF[0])
