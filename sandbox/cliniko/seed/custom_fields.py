"""Invented custom fields of a patient form, with answers."""

from random import Random
from typing import Any

CONDITIONS = ("Asthma", "Diabetes", "High blood pressure", "Osteoporosis", "Epilepsy")
SPORTS = ("Running", "Surfing", "Netball", "Rugby", "Lawn bowls", "Ocean swimming", "None at present")
PARAGRAPHS = (
    "Wants to lift the grandchildren again without thinking about it.",
    "Half marathon in spring.\nHas not run since March; knee swells after 4 km.",
    "Sleeps badly on the left side. Desk work, two screens, no breaks before noon.",
    "Back on the board by summer — “just the small waves”.",
)


def make_custom_fields(random: Random, *, birth_year: int) -> dict[str, Any]:
    """Return the custom fields of a patient; a third of the forms are empty and some are incomplete."""
    sections = [_history(random), _goals(random), _office(random, birth_year)]
    roll = random.random()
    if roll < 0.35:
        return {"sections": []}
    return {"sections": sections[:1] if roll < 0.55 else sections}


def _history(random: Random) -> dict[str, Any]:
    chosen = random.sample(CONDITIONS, random.choice((0, 0, 1, 2)))
    fields = [
        {"name": "Please tick what applies", "type": "header"},
        {"name": "Conditions", "type": "checkboxes", "options": _options(CONDITIONS, chosen), "other": _other(random)},
        {
            "name": "Had this before?",
            "type": "radiobuttons",
            "options": _options(("Yes", "No"), [random.choice(("Yes", "No"))]),
        },
        {"name": "Date of injury", "type": "date", "value": _day(random, 2024, 2025) if random.random() < 0.6 else ""},
    ]
    return {"name": "Medical history", "fields": fields}


def _goals(random: Random) -> dict[str, Any]:
    fields = [
        {"name": "What brings you here?", "type": "paragraph", "value": random.choice(PARAGRAPHS)},
        {"name": "Sport", "type": "radiobuttons", "options": _options(SPORTS, [random.choice(SPORTS)]), "other": None},
        {"name": "Pain today (0 to 10)", "type": "text", "value": str(random.randrange(11))},
    ]
    return {"name": "Goals", "fields": fields}


def _office(random: Random, birth_year: int) -> dict[str, Any]:
    fields = [
        {
            "name": "How did you hear of us?",
            "type": "text",
            "value": random.choice(("", "A friend", "Saw the sign", None)),
        },
        {"name": "Last X-ray", "type": "date", "value": _day(random, max(birth_year, 2015), 2025)},
    ]
    return {"name": "Front desk", "fields": fields}


def _options(names: tuple[str, ...], chosen: list[str]) -> list[dict[str, Any]]:
    return [{"name": name, **({"selected": True} if name in chosen else {})} for name in names]


def _other(random: Random) -> dict[str, Any] | None:
    if random.random() < 0.8:
        return None
    return {"enabled": True, "selected": True, "value": "Hay fever, every October"}


def _day(random: Random, first: int, last: int) -> str:
    return f"{random.randint(min(first, last), last)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
