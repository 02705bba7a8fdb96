"""Cliniko's time zones: Ruby on Rails labels such as `Sydney` or `Eastern Time (US & Canada)`.

# Reference: https://api.rubyonrails.org/classes/ActiveSupport/TimeZone.html (MAPPING);
# https://github.com/redguava/cliniko-api/blob/master/sections/settings.md
"""

from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from sync.cliniko.payloads import text

UNKNOWN = "UTC"  # for a label that we don't know. Cliniko's own label UTC is Etc/UTC

# Any other label is the last part of its zone's name.
_BY_LABEL = {
    "Abu Dhabi": "Asia/Muscat",
    "Alaska": "America/Juneau",
    "American Samoa": "Pacific/Pago_Pago",
    "Arizona": "America/Phoenix",
    "Astana": "Asia/Almaty",
    "Atlantic Time (Canada)": "America/Halifax",
    "Beijing": "Asia/Shanghai",
    "Bern": "Europe/Zurich",
    "Brasilia": "America/Sao_Paulo",
    "Buenos Aires": "America/Argentina/Buenos_Aires",
    "Canberra": "Australia/Sydney",
    "Cape Verde Is.": "Atlantic/Cape_Verde",
    "Central America": "America/Guatemala",
    "Central Time (US & Canada)": "America/Chicago",
    "Chatham Is.": "Pacific/Chatham",
    "Chennai": "Asia/Kolkata",
    "Chongqing": "Asia/Shanghai",
    "Eastern Time (US & Canada)": "America/New_York",
    "Edinburgh": "Europe/London",
    "Ekaterinburg": "Asia/Yekaterinburg",
    "Georgetown": "America/Guyana",
    "Greenland": "America/Nuuk",
    "Guadalajara": "America/Mexico_City",
    "Hanoi": "Asia/Bangkok",
    "Hawaii": "Pacific/Honolulu",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "International Date Line West": "Etc/GMT+12",
    "Islamabad": "Asia/Karachi",
    "Istanbul": "Europe/Istanbul",
    "Kiev": "Europe/Kyiv",
    "Marshall Is.": "Pacific/Majuro",
    "Mid-Atlantic": "Atlantic/South_Georgia",
    "Midway Island": "Pacific/Midway",
    "Mountain Time (US & Canada)": "America/Denver",
    "Mumbai": "Asia/Kolkata",
    "New Caledonia": "Pacific/Noumea",
    "New Delhi": "Asia/Kolkata",
    "Newfoundland": "America/St_Johns",
    "Nuku'alofa": "Pacific/Tongatapu",
    "Osaka": "Asia/Tokyo",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Pretoria": "Africa/Johannesburg",
    "Quito": "America/Lima",
    "Rangoon": "Asia/Yangon",
    "Samoa": "Pacific/Apia",
    "Sapporo": "Asia/Tokyo",
    "Saskatchewan": "America/Regina",
    "Solomon Is.": "Pacific/Guadalcanal",
    "Sri Jayawardenepura": "Asia/Colombo",
    "St. Petersburg": "Europe/Moscow",
    "Tokelau Is.": "Pacific/Fakaofo",
    "UTC": "Etc/UTC",
    "Ulaan Bataar": "Asia/Ulaanbaatar",
    "Wellington": "Pacific/Auckland",
    "West Central Africa": "Africa/Algiers",
}
_REGIONS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def iana_time_zone(account: dict[str, Any]) -> str:
    """Return the IANA name of the account's time zone, or UNKNOWN."""
    for label in (text(account, "time_zone_identifier"), text(account, "time_zone")):
        if "/" in label and label in available_timezones():
            return label
        found = _BY_LABEL.get(label) or _by_city().get(label)
        if found:
            return found
    return UNKNOWN


@lru_cache(maxsize=1)
def _by_city() -> dict[str, str]:
    """Map cities to zones, such as Sydney to Australia/Sydney. Leaves out cities of two regions: see _BY_LABEL."""
    found: dict[str, list[str]] = {}
    for zone in available_timezones():
        region, _, city = zone.partition("/")
        if region in _REGIONS:
            found.setdefault(city.replace("_", " "), []).append(zone)
    return {city: zones[0] for city, zones in found.items() if len(zones) == 1}
