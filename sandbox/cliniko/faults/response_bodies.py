"""Faults inside a response body that arrives complete."""

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.cliniko.faults.error_responses import FOREIGN_HOST
from sandbox.cliniko.faults.kinds import Fault

Body = dict[str, Any]
ALWAYS_PRESENT = {"id", "created_at", "updated_at", "links"}
TEXT_FIELDS = ("last_name", "name", "notes", "business_name")
HUGE_NUMBER_MARKER = "1e400 is too large for a float"
ODD_FIELDS: Body = {
    "loyalty_points": 12.5,
    "tags": ["new", ["nested", None], {}],
    "next_of_kin": {"name": None, "phones": [{"number": 0}]},
    "with-dash and space": True,
    "": "a field without a name",
    "größe": "ungewöhnlich",
    "constructor": {"prototype": []},
}


def alter_body(fault: Fault, body: Body) -> str:
    """Return the JSON text of a response body after this fault. For the keys of BODY_FAULTS only."""
    return json.dumps(BODY_FAULTS[fault](body)).replace(json.dumps(HUGE_NUMBER_MARKER), "1e400")


def _each(change: Callable[[Body], Body]) -> Callable[[Body], Body]:
    """Apply a change to every record of a list, or to a single record."""

    def changed(body: Body) -> Body:
        name = _list_name(body)
        return {**body, name: [change(record) for record in body[name]]} if name else change(body)

    return changed


def _last(change: Callable[[Body], Body]) -> Callable[[Body], Body]:
    """Apply a change to the last record of a list, or to a single record."""

    def changed(body: Body) -> Body:
        name = _list_name(body)
        records = body[name] if name else []
        return {**body, name: [*records[:-1], *map(change, records[-1:])]} if name else change(body)

    return changed


def _list_name(body: Body) -> str:
    return next(iter(body)) if "total_entries" in body else ""


def _integer_id(record: Body) -> Body:
    return {**record, "id": int(record["id"])} if "id" in record else record


def _empty_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _empty_strings(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_empty_strings(each) for each in value]
    return "" if value is None else value


def _add_odd_fields(record: Body) -> Body:
    return {**record, **ODD_FIELDS}


def _required_only(record: Body) -> Body:
    """Drop every optional field. Entries without an id, as in /patients/deleted, stay unchanged."""
    if "id" not in record:
        return record
    linked = {name for name, value in record.items() if isinstance(value, dict) and "links" in value}
    return {name: value for name, value in record.items() if name in ALWAYS_PRESENT | linked}


def _unreadable(record: Body) -> Body:
    return {**record, "updated_at": "yesterday"}


def _nul(record: Body) -> Body:
    name = next((name for name in TEXT_FIELDS if name in record), "notes")
    return {**record, name: "Nul \x00 and half of a pair \ud83d"}


def _huge(record: Body) -> Body:
    """Replace the first number of a record, or add an unknown field."""
    numbers = (name for name, value in record.items() if isinstance(value, int) and not isinstance(value, bool))
    return {**record, next(numbers, "account_balance"): HUGE_NUMBER_MARKER}


def _empty_with_next(body: Body) -> Body:
    return _with_next({**body, _list_name(body): []})


def _with_next(body: Body) -> Body:
    next_url = re.sub(r"page=(\d+)$", lambda page: f"page={int(page[1]) + 1}", body["links"]["self"])
    return {**body, "links": {**body["links"], "next": next_url}}


def _foreign_next(body: Body) -> Body:
    return {**body, "links": {**body["links"], "next": f"{FOREIGN_HOST}v1/{_list_name(body)}?page=2"}}


def _text_total(body: Body) -> Body:
    return {**body, "total_entries": str(body["total_entries"])}


def _no_links(body: Body) -> Body:
    return {name: value for name, value in body.items() if name != "links"}


BODY_FAULTS: dict[Fault, Callable[[Body], Body]] = {
    Fault.INTEGER_IDS: _each(_integer_id),
    Fault.EMPTY_STRINGS: _empty_strings,
    Fault.UNKNOWN_FIELDS: _each(_add_odd_fields),
    Fault.MISSING_FIELDS: _each(_required_only),
    Fault.UNREADABLE: _last(_unreadable),
    Fault.NUL: _last(_nul),
    Fault.HUGE_NUMBER: _last(_huge),
    Fault.EMPTY_WITH_NEXT: _empty_with_next,
    Fault.LOOPING_NEXT: _with_next,
    Fault.FOREIGN_NEXT: _foreign_next,
    Fault.TEXT_TOTALS: _text_total,
    Fault.NO_LINKS: _no_links,
}
