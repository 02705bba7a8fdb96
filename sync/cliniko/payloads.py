"""Parsing Cliniko's payloads into typed values. PayloadRefused for what can't be parsed."""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Any

_ID = re.compile(r"[0-9]{1,20}")
_NOT_DIGITS = re.compile(r"\D+")
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
# Letters that Unicode doesn't decompose, as people type them on another keyboard.
_LETTERS = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h"})


class PayloadRefused(ValueError):
    """A required field of a payload is missing or can't be parsed."""


def text(payload: dict[str, Any], field: str) -> str:
    """Return the field as stripped text. Null, a missing field and anything but text or a number are ""."""
    value = payload.get(field)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, (int, float)) else ""


def cliniko_id(payload: dict[str, Any]) -> str:
    """Return the record's id as text; Cliniko sends text or a number. Raises PayloadRefused."""
    value = payload.get("id")
    found = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _ID.fullmatch(found):
        raise PayloadRefused("The record has no id.")
    return found


def deleted_id(payload: dict[str, Any]) -> str:
    """Return the id of an entry in a list of deleted records, or "". Some entries have it only in their link."""
    try:
        return cliniko_id(payload)
    except PayloadRefused:
        return linked_id({"itself": payload}, "itself")


def timestamp(payload: dict[str, Any], field: str) -> datetime | None:
    """Return the field as an aware datetime, or None. Raises PayloadRefused."""
    value = payload.get(field)
    if value in (None, ""):
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise PayloadRefused(f"{field} isn't a time.") from None
    if found.tzinfo is None:
        raise PayloadRefused(f"{field} has no time zone.")
    if not _EARLIEST <= found <= _LATEST:  # PostgreSQL stores it in UTC, and Python couldn't load it
        raise PayloadRefused(f"{field} is out of range.")
    return found


def required_timestamp(payload: dict[str, Any], field: str) -> datetime:
    """Return the field as an aware datetime. Raises PayloadRefused, also for a missing field."""
    found = timestamp(payload, field)
    if found is None:
        raise PayloadRefused(f"The record has no {field}.")
    return found


def day(payload: dict[str, Any], field: str) -> date | None:
    """Return the field as a date, or None. A date that can't be parsed doesn't reject the record."""
    try:
        return date.fromisoformat(str(payload.get(field))[:10])
    except ValueError:
        return None


def linked_id(payload: dict[str, Any], field: str) -> str:
    """Return the id in a linked record's address, the last segment of `links.self`, or ""."""
    related = payload.get(field)
    links = related.get("links") if isinstance(related, dict) else None
    address = links.get("self") if isinstance(links, dict) else None
    found = str(address or "").partition("?")[0].rstrip("/").rpartition("/")[2]
    return found if _ID.fullmatch(found) else ""


def items(payload: Any, field: str) -> list[dict[str, Any]]:
    """Return the objects of a list field. Anything but a list is an empty list."""
    value = payload.get(field) if isinstance(payload, dict) else None
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def fold(value: str) -> str:
    """Normalise text for searching: no accents, lower case, single spaces. `Søren  O’Néill` is `soren o'neill`."""
    if value.isascii():
        return " ".join(value.casefold().split())
    plain = unicodedata.normalize("NFKD", value.replace("’", "'")).casefold().translate(_LETTERS)
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def digits(value: str) -> str:
    """Return the decimal digits of `value` as ASCII, whatever the script."""
    found = _NOT_DIGITS.sub("", value)
    return found if found.isascii() else "".join(str(unicodedata.decimal(letter)) for letter in found)


def jsonb_safe(value: Any) -> Any:
    """Return the JSON value without NUL characters and lone surrogates, which jsonb can't store."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [jsonb_safe(item) for item in value]
    if isinstance(value, dict):
        return {jsonb_safe(name): jsonb_safe(item) for name, item in value.items()}
    return value
