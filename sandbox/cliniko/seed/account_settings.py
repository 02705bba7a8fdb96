"""Settings of each account."""

from typing import Any
from zoneinfo import ZoneInfo

KNOWN = {
    "bondi": ("Bondi Physio", "patient", "Australia", "Sydney"),
    "harbour": ("Harbour Osteopathy", "client", "New Zealand", "Auckland"),
}
ZONES = {
    "Sydney": ZoneInfo("Australia/Sydney"),
    "Auckland": ZoneInfo("Pacific/Auckland"),
}  # Cliniko's labels


def account_settings(account: str) -> dict[str, Any]:
    """Return the body of GET /settings/public without its link. Unknown accounts get default settings."""
    default = (f"{account.title()} Clinic", "patient", "Australia", "Sydney")
    name, patient, country, time_zone = KNOWN.get(account, default)
    return {
        "account": {"name": name, "subdomain": account, "country": country, "time_zone": time_zone},
        "terminology": {"patient": patient},
        "calendar": {"start_hour": 7, "end_hour": 19, "timeslot_size_in_minutes": 15},
        "online_bookings": {"enabled": False},
        "reminders": {"default_reminder_type": "SMS & Email"},
    }


def zone_of(settings: dict[str, Any]) -> ZoneInfo:
    return zone_for_label(settings["account"]["time_zone"])


def zone_for_label(label: str) -> ZoneInfo:
    """Return the time zone for a Cliniko label, or for an IANA name as older files have."""
    return ZONES.get(label) or ZoneInfo(label)
