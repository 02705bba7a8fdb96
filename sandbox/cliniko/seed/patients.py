"""Invented patients, with reserved phone numbers, example email domains and obviously fake card numbers."""

from datetime import date, timedelta
from random import Random
from typing import Any

from sandbox.cliniko.data.blank_records import blank_patient
from sandbox.cliniko.seed.custom_fields import make_custom_fields
from sandbox.cliniko.seed.names import PREFERRED, draw_name

PLACES = {
    "Australia": (
        ("Bondi Beach", "NSW", "2026"),
        ("Bronte", "NSW", "2024"),
        ("Coogee", "NSW", "2034"),
        ("Marrickville", "NSW", "2204"),
        ("Katoomba", "NSW", "2780"),
        ("Woolloomooloo", "NSW", "2011"),
    ),
    "New Zealand": (
        ("Devonport", "Auckland", "0624"),
        ("Ponsonby", "Auckland", "1011"),
        ("Ōrākei", "Auckland", "1071"),
        ("Whangārei", "Northland", "0110"),
    ),
}
COUNTRY_CODES = {"Australia": "AU", "New Zealand": "NZ"}
STREETS = ("Banksia Lane", "Wattle Parade", "Example Street", "O'Malley Crescent", "Sandbox Road", "Ūpoko Terrace")
OCCUPATIONS = (
    "Teacher", "Nurse", "Barista", "Retired", "Carpenter", "Student", "Software engineer", "Drummer",
    "Midwife", "Bus driver", "Stay-at-home parent", "Pastry chef", "Lighthouse keeper (ret.)",
)  # fmt: skip
REFERRALS = ("Friend or family", "GP referral", "Google", "Walked past", "Sports club", "Returning patient")
RELATIONS = ("partner", "mother", "father", "daughter", "son", "neighbour")
NOTES = (
    "Prefers the ground-floor room.",
    "Invoice goes to the employer.\nAsk for the claim number each time.",
    "Hard of hearing: please face them when you speak.",
    "Bring an interpreter (Auslan).",
    "Very punctual, gets anxious when we run late — text if more than 10 min behind.",
)
REMINDERS = ("None", "SMS", "Email", "SMS & Email")
PRONOUNS = ("she/her", "he/him", "they/them", "she/they", "ia")
CONCESSIONS = ("1713650742029000011", "1713650742029000012")
DOCTORS = ("1713650742029000021", "1713650742029000022", "1713650742029000023")


def make_patient(random: Random, today: date, country: str = "Australia") -> dict[str, Any]:
    """Return the body of an invented patient, the same for the same random state and day."""
    woman = random.random() < 0.53
    first, last = draw_name(random, woman=woman)
    birth_date = _birth_date(random, today)
    return {
        **blank_patient(),
        "first_name": first,
        "last_name": last,
        "preferred_first_name": random.choice(PREFERRED) if random.random() < 0.12 else random.choice((None, "")),
        "date_of_birth": birth_date.isoformat() if birth_date else random.choice((None, "")),
        **_identity(random, woman, adult=not birth_date or (today - birth_date).days > 18 * 365),
        **_contact_details(random, last),
        **_address(random, country),
        **_administrative(random),
        "custom_fields": make_custom_fields(random, birth_year=birth_date.year if birth_date else 1980),
    }


def _birth_date(random: Random, today: date) -> date | None:
    """Return a date of birth from newborn to centenarian, or None for one in 25."""
    roll = random.random()
    if roll < 0.04:
        return None
    if roll < 0.06:
        return today - timedelta(days=random.randint(3, 700))
    if roll < 0.07:
        return today - timedelta(days=random.randint(36_600, 38_700))
    return today - timedelta(days=int(random.triangular(2 * 365, 96 * 365, 43 * 365)))


def _identity(random: Random, woman: bool, *, adult: bool) -> dict[str, Any]:
    usual = ("Ms", "Mrs", "Miss", "Dr") if woman else ("Mr", "Mr", "Dr", "Prof")
    return {
        "title": random.choice(usual) if adult and random.random() < 0.6 else "",
        "sex": random.choice(("Female" if woman else "Male", None)),
        "gender_identity": random.choice((None, "", "Woman" if woman else "Man"))
        if random.random() < 0.96
        else "Non-binary",
        "pronouns": random.choice(PRONOUNS) if random.random() < 0.25 else None,
        "occupation": random.choice(OCCUPATIONS) if adult and random.random() < 0.7 else "",
    }


def _contact_details(random: Random, family: str) -> dict[str, Any]:
    count = random.choices((0, 1, 2, 3, 4), weights=(5, 55, 28, 9, 3))[0]
    phones = [_phone(random, kind) for kind in ("Mobile", "Home", "Work", "Other")[:count]]
    handle = f"person.{random.randrange(10**6):06}"
    contact, _ = draw_name(random, woman=random.random() < 0.5)
    return {
        "patient_phone_numbers": phones,
        "email": f"{handle}@{random.choice(('example.com', 'example.org'))}" if random.random() < 0.85 else "",
        "emergency_contact": f"{contact} {family} ({random.choice(RELATIONS)}), 0491 570 {random.randrange(1000):03}"
        if random.random() < 0.5
        else random.choice(("", None)),
        "reminder_type": random.choice(REMINDERS) if phones else "None",
        "accepted_email_marketing": random.choice((None, True, False)),
        "accepted_sms_marketing": random.choice((None, True, False)),
    }


def _phone(random: Random, kind: str) -> dict[str, str]:
    """+61 491 570 xxx and (02) 5550 xxxx are reserved for fiction."""
    if kind == "Mobile":
        tail = f"{random.randrange(1000):03}"
        number = random.choice((f"+61 491 570 {tail}", f"61491570{tail}", f"0491 570 {tail}"))
    else:
        number = f"02 5550 {random.randrange(10_000):04}"
    return {"phone_type": kind, "number": number}


def _address(random: Random, country: str) -> dict[str, Any]:
    if random.random() < 0.08:
        return {}
    city, state, post_code = random.choice(PLACES[country])
    return {
        "address_1": f"{random.randint(1, 240)} {random.choice(STREETS)}",
        "address_2": random.choice(("", "", None, f"Unit {random.randint(1, 40)}")),
        "city": city,
        "state": state,
        "post_code": post_code,
        "country": country,
        "country_code": COUNTRY_CODES[country],
        "time_zone": random.choice((None, None, "Australia/Sydney", "Pacific/Auckland")),
    }


def _administrative(random: Random) -> dict[str, Any]:
    veteran, carded = random.random() < 0.02, random.random() < 0.1
    return {
        "accepted_privacy_policy": random.choices((True, None, False), weights=(70, 25, 5))[0],
        "referral_source": random.choice(REFERRALS) if random.random() < 0.6 else random.choice(("", None)),
        "notes": random.choice(NOTES) if random.random() < 0.2 else random.choice(("", None)),
        "appointment_notes": "Needs the lift." if random.random() < 0.04 else "",
        "medicare": "SANDBOX-0000-00000-0" if carded else "",
        "medicare_reference_number": "0" if carded else "",
        "dva_card_number": "SANDBOX00000" if veteran else "",
        "concession_type": random.choice(CONCESSIONS) if carded else None,
        "referring_doctor": random.choice(DOCTORS) if random.random() < 0.15 else None,
        "old_reference_id": f"OLD-{random.randrange(10**5):05}" if random.random() < 0.3 else "",
    }
