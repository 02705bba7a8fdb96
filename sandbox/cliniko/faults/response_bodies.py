"""What can be wrong inside an answer that arrives whole."""

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.cliniko.faults.error_responses import ELSEWHERE
from sandbox.cliniko.faults.kinds import Fault

Body = dict[str, Any]
LASTING = {"id", "created_at", "updated_at", "links"}
TEXTS = ("last_name", "name", "notes", "business_name")
HUGE = "1e400 is too large for a float"
ODD: Body = {
    "loyalty_points": 12.5,
    "tags": ["new", ["nested", None], {}],
    "next_of_kin": {"name": None, "phones": [{"number": 0}]},
    "with-dash and space": True,
    "": "a field without a name",
    "größe": "ungewöhnlich",
    "constructor": {"prototype": []},
}


def distorted(fault: Fault, body: Body) -> str:
    """The JSON text of an answer as this fault leaves it. Faults of the body only."""
    return json.dumps(DISTORTIONS[fault](body)).replace(json.dumps(HUGE), "1e400")


def _each(change: Callable[[Body], Body]) -> Callable[[Body], Body]:
    """Do it to every record of a list, or to the one that is shown."""

    def changed(body: Body) -> Body:
        name = _name_of_list(body)
        return {**body, name: [change(record) for record in body[name]]} if name else change(body)

    return changed


def _last(change: Callable[[Body], Body]) -> Callable[[Body], Body]:
    """Do it to the last record of a list, or to the one that is shown."""

    def changed(body: Body) -> Body:
        name = _name_of_list(body)
        records = body[name] if name else []
        return {**body, name: [*records[:-1], *map(change, records[-1:])]} if name else change(body)

    return changed


def _name_of_list(body: Body) -> str:
    return next(iter(body)) if "total_entries" in body else ""


def _integer_id(record: Body) -> Body:
    return {**record, "id": int(record["id"])} if "id" in record else record


def _empty_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _empty_strings(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_empty_strings(each) for each in value]
    return "" if value is None else value


def _odd(record: Body) -> Body:
    return {**record, **ODD}


def _bare(record: Body) -> Body:
    """Without all that may be absent; what names no record, such as a tombstone, stays as it is."""
    if "id" not in record:
        return record
    linked = {name for name, value in record.items() if isinstance(value, dict) and "links" in value}
    return {name: value for name, value in record.items() if name in LASTING | linked}


def _unreadable(record: Body) -> Body:
    return {**record, "updated_at": "yesterday"}


def _nul(record: Body) -> Body:
    name = next((name for name in TEXTS if name in record), "notes")
    return {**record, name: "Nul \x00 and half of a pair \ud83d"}


def _huge(record: Body) -> Body:
    """In the first field that is a number, or else in one that is not known."""
    numbers = (name for name, value in record.items() if isinstance(value, int) and not isinstance(value, bool))
    return {**record, next(numbers, "account_balance"): HUGE}


def _empty_with_next(body: Body) -> Body:
    return _with_next({**body, _name_of_list(body): []})


def _with_next(body: Body) -> Body:
    following = re.sub(r"page=(\d+)$", lambda page: f"page={int(page[1]) + 1}", body["links"]["self"])
    return {**body, "links": {**body["links"], "next": following}}


def _foreign_next(body: Body) -> Body:
    return {**body, "links": {**body["links"], "next": f"{ELSEWHERE}v1/{_name_of_list(body)}?page=2"}}


def _text_total(body: Body) -> Body:
    return {**body, "total_entries": str(body["total_entries"])}


def _no_links(body: Body) -> Body:
    return {name: value for name, value in body.items() if name != "links"}


DISTORTIONS: dict[Fault, Callable[[Body], Body]] = {
    Fault.INTEGER_IDS: _each(_integer_id),
    Fault.EMPTY_STRINGS: _empty_strings,
    Fault.UNKNOWN_FIELDS: _each(_odd),
    Fault.MISSING_FIELDS: _each(_bare),
    Fault.UNREADABLE: _last(_unreadable),
    Fault.NUL: _last(_nul),
    Fault.HUGE_NUMBER: _last(_huge),
    Fault.EMPTY_WITH_NEXT: _empty_with_next,
    Fault.LOOPING_NEXT: _with_next,
    Fault.FOREIGN_NEXT: _foreign_next,
    Fault.TEXT_TOTALS: _text_total,
    Fault.NO_LINKS: _no_links,
}
