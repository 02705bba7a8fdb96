"""Reading Cliniko's payloads: typed values out, PayloadRefused for what cannot be read."""

import re
import unicodedata
from datetime import date, datetime
from typing import Any

_ID = re.compile(r"[0-9]{1,20}")
_NOT_DIGITS = re.compile(r"\D+")
# Letters that Unicode does not take apart, as people type them without the right keyboard.
_PLAIN = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h"})


class PayloadRefused(ValueError):
    """A payload lacks what every record has, or holds it in a form that cannot be read."""


def text(payload: dict[str, Any], field: str) -> str:
    """The field as text; null, missing, "" and whatever is neither text nor number are all empty."""
    value = payload.get(field)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, (int, float)) else ""


def cliniko_id(payload: dict[str, Any]) -> str:
    """The record's id as text, whether it came as text or as a number. Raises PayloadRefused."""
    value = payload.get("id")
    found = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _ID.fullmatch(found):
        raise PayloadRefused("The record has no id.")
    return found


def gone_id(payload: dict[str, Any]) -> str:
    """The id in a list of deleted records, which may say it in the link alone; empty when it cannot be read."""
    try:
        return cliniko_id(payload)
    except PayloadRefused:
        return linked_id({"itself": payload}, "itself")


def moment(payload: dict[str, Any], field: str) -> datetime | None:
    """A UTC time or None. Raises PayloadRefused."""
    value = payload.get(field)
    if value in (None, ""):
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise PayloadRefused(f"{field} is not a time.") from None
    if found.tzinfo is None:
        raise PayloadRefused(f"{field} names no time zone.")
    return found


def needed_moment(payload: dict[str, Any], field: str) -> datetime:
    found = moment(payload, field)
    if found is None:
        raise PayloadRefused(f"The record has no {field}.")
    return found


def day(payload: dict[str, Any], field: str) -> date | None:
    """A date; None when there is none or it cannot be read, which is no reason to withhold the record."""
    try:
        return date.fromisoformat(str(payload.get(field))[:10])
    except ValueError:
        return None


def linked_id(payload: dict[str, Any], field: str) -> str:
    """The id a link names: the last segment of `links.self`; empty when there is none."""
    related = payload.get(field)
    links = related.get("links") if isinstance(related, dict) else None
    address = links.get("self") if isinstance(links, dict) else None
    found = str(address or "").partition("?")[0].rstrip("/").rpartition("/")[2]
    return found if _ID.fullmatch(found) else ""


def items(payload: Any, field: str) -> list[dict[str, Any]]:
    """The objects in a list field; anything else in its place is an empty list."""
    value = payload.get(field) if isinstance(payload, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def fold(value: str) -> str:
    """Text as searched: no accents, no capitals, blanks single. `Søren  O’Néill` is `soren o'neill`."""
    if value.isascii():
        return " ".join(value.casefold().split())
    plain = unicodedata.normalize("NFKD", value.replace("’", "'")).casefold().translate(_PLAIN)
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def digits(value: str) -> str:
    """The decimal digits in `value`, ASCII whatever the script."""
    found = _NOT_DIGITS.sub("", value)
    return found if found.isascii() else "".join(str(unicodedata.decimal(letter)) for letter in found)


def storable(value: Any) -> Any:
    """The same JSON value without what PostgreSQL's jsonb cannot hold: NUL characters and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value
