"""Every label that Cliniko has for a time zone maps to the right IANA zone."""

from typing import Any
from zoneinfo import available_timezones

import pytest
from django.db import connection

from sync.cliniko.time_zones import UNKNOWN, iana_time_zone

# Every label of Ruby on Rails, which Cliniko uses.
LABELS = """
International Date Line West|Midway Island|American Samoa|Hawaii|Alaska|Pacific Time (US & Canada)|Tijuana|Arizona
Mountain Time (US & Canada)|Chihuahua|Mazatlan|Central Time (US & Canada)|Saskatchewan|Guadalajara|Mexico City|Monterrey
Central America|Eastern Time (US & Canada)|Indiana (East)|Bogota|Lima|Quito|Atlantic Time (Canada)|Caracas|La Paz
Santiago|Newfoundland|Asuncion|Brasilia|Buenos Aires|Montevideo|Georgetown|Puerto Rico|Greenland|Mid-Atlantic|Azores
Cape Verde Is.|Dublin|Edinburgh|Lisbon|London|Casablanca|Monrovia|UTC|Belgrade|Bratislava|Budapest|Ljubljana|Prague
Sarajevo|Skopje|Warsaw|Zagreb|Brussels|Copenhagen|Madrid|Paris|Amsterdam|Berlin|Bern|Zurich|Rome|Stockholm|Vienna
West Central Africa|Bucharest|Cairo|Helsinki|Kyiv|Riga|Sofia|Tallinn|Vilnius|Athens|Istanbul|Minsk|Jerusalem|Harare
Pretoria|Kaliningrad|Moscow|St. Petersburg|Volgograd|Samara|Kuwait|Riyadh|Nairobi|Baghdad|Tehran|Abu Dhabi|Muscat|Baku
Tbilisi|Yerevan|Kabul|Ekaterinburg|Islamabad|Karachi|Tashkent|Chennai|Kolkata|Mumbai|New Delhi|Kathmandu|Dhaka
Sri Jayawardenepura|Almaty|Astana|Novosibirsk|Rangoon|Bangkok|Hanoi|Jakarta|Krasnoyarsk|Beijing|Chongqing|Hong Kong
Urumqi|Kuala Lumpur|Singapore|Taipei|Perth|Irkutsk|Ulaanbaatar|Seoul|Osaka|Sapporo|Tokyo|Yakutsk|Darwin|Adelaide
Canberra|Melbourne|Sydney|Brisbane|Hobart|Vladivostok|Guam|Port Moresby|Magadan|Srednekolymsk|Solomon Is.|New Caledonia
Fiji|Kamchatka|Marshall Is.|Auckland|Wellington|Nuku'alofa|Tokelau Is.|Chatham Is.|Samoa
"""


def zones() -> dict[str, str]:
    return {label: iana_time_zone({"time_zone": label}) for label in LABELS.strip().replace("\n", "|").split("|")}


def test_every_cliniko_label_maps_to_a_time_zone() -> None:
    assert len(zones()) == 152
    assert not [label for label, zone in zones().items() if zone == UNKNOWN or zone not in available_timezones()]


def test_postgresql_knows_every_time_zone_as_exports_require(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_timezone_names WHERE name = ANY(%s)", [list(zones().values())])
        assert {name for (name,) in cursor.fetchall()} == set(zones().values())


@pytest.mark.parametrize(
    ("account", "zone"),
    [
        ({"time_zone": "Eastern Time (US & Canada)"}, "America/New_York"),
        ({"time_zone": "Adelaide"}, "Australia/Adelaide"),
        ({"time_zone": "Wellington"}, "Pacific/Auckland"),
        ({"time_zone": "Edinburgh"}, "Europe/London"),
        ({"time_zone": "Singapore"}, "Asia/Singapore"),
        ({"time_zone": "Hong Kong"}, "Asia/Hong_Kong"),
        ({"time_zone": "Kyiv"}, "Europe/Kyiv"),
        ({"time_zone": "Kiev"}, "Europe/Kyiv"),
        ({"time_zone": "Arizona"}, "America/Phoenix"),
        ({"time_zone": "Saskatchewan"}, "America/Regina"),
        ({"time_zone": "Newfoundland"}, "America/St_Johns"),
        ({"time_zone": "Chennai"}, "Asia/Kolkata"),
        ({"time_zone": "Nuku'alofa"}, "Pacific/Tongatapu"),
        ({"time_zone": "Chatham Is."}, "Pacific/Chatham"),
        ({"time_zone": "UTC"}, "Etc/UTC"),
        ({"time_zone": "Australia/Perth"}, "Australia/Perth"),
        ({"time_zone": "Sydney", "time_zone_identifier": "Australia/Perth"}, "Australia/Perth"),
        ({"time_zone": "Sydney", "time_zone_identifier": "Nowhere/Else"}, "Australia/Sydney"),
        ({"time_zone": "Sydney", "time_zone_identifier": None}, "Australia/Sydney"),
        ({"time_zone": "Atlantis"}, UNKNOWN),
        ({"time_zone": "../../etc/passwd"}, UNKNOWN),
        ({"time_zone": 10}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_account_maps_to_its_time_zone(account: dict[str, Any], zone: str) -> None:
    assert iana_time_zone(account) == zone
