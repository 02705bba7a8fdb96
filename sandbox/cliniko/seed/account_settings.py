"""What each account says about itself."""

from typing import Any
from zoneinfo import ZoneInfo

KNOWN = {
    "bondi": ("Bondi Physio", "patient", "Australia", "Sydney"),
    "harbour": ("Harbour Osteopathy", "client", "New Zealand", "Auckland"),
}
ZONES = {"Sydney": ZoneInfo("Australia/Sydney"), "Auckland": ZoneInfo("Pacific/Auckland")}  # Cliniko speaks of labels


def account_settings(account: str) -> dict[str, Any]:
    """The body of GET /settings/public, its own link aside. Accounts nobody has named get plain settings."""
    plain = (f"{account.title()} Clinic", "patient", "Australia", "Sydney")
    name, patient, country, time_zone = KNOWN.get(account, plain)
    return {
        "account": {"name": name, "subdomain": account, "country": country, "time_zone": time_zone},
        "terminology": {"patient": patient},
        "calendar": {"start_hour": 7, "end_hour": 19, "timeslot_size_in_minutes": 15},
        "online_bookings": {"enabled": False},
        "reminders": {"default_reminder_type": "SMS & Email"},
    }


def zone_of(settings: dict[str, Any]) -> ZoneInfo:
    return zone_called(settings["account"]["time_zone"])


def zone_called(label: str) -> ZoneInfo:
    """Files of earlier versions have the zone's own name."""
    return ZONES.get(label) or ZoneInfo(label)
