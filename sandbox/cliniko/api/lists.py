"""One page of a list: which records, in which order, and how many there are in all. Everything happens in SQL."""

from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from sandbox.cliniko.api.filters import Condition, condition
from sandbox.cliniko.data.database import Database
from sandbox.cliniko.data.records import Record
from sandbox.cliniko.data.resources import Resource
from sandbox.cliniko.errors import BadRequest

MOST_PER_PAGE = 100
LAST_PAGE = 10**9
SUBSETS = {  # the older addresses: /patients/archived and the like
    "": ("deleted_at IS NULL",),
    "archived": ("deleted_at IS NULL", "archived_at IS NOT NULL"),
    "cancelled": ("deleted_at IS NULL", "cancelled_at IS NOT NULL"),
    "deleted": ("deleted_at IS NOT NULL",),
    "inactive": ("json_extract(body, '$.active') = 0",),
}


@dataclass(frozen=True)
class Question:
    """What a caller asks of a list."""

    resource: Resource
    conditions: tuple[Condition, ...]
    order: str
    page: int
    per_page: int
    subset: str = ""


@dataclass(frozen=True)
class Page:
    records: tuple[Record, ...]
    total: int


def question(
    resource: Resource, args: MultiDict[str, str], *, subset: str = "", also: tuple[str, ...] = ()
) -> Question:
    """Read the query string of a list request; raises BadRequest. `also` are filters that the address itself sets."""
    texts = [*args.getlist("q[]"), *args.getlist("q"), *also]
    return Question(
        resource=resource,
        conditions=tuple(condition(text, resource) for text in texts),
        order=_order(resource, args),
        page=min(_positive(args, "page", 1), LAST_PAGE),
        per_page=min(_positive(args, "per_page", 50), MOST_PER_PAGE),
        subset=subset,
    )


def answer(database: Database, account: str, asked: Question) -> Page:
    where, values = _where(account, asked)
    bounds = (asked.per_page, (asked.page - 1) * asked.per_page)
    with database.reading() as connection:
        total = connection.execute(f"SELECT count(*) FROM records WHERE {where}", values).fetchone()[0]
        # First the places, from an index alone; then the bodies of this one page.
        places = f"SELECT rowid AS place FROM records WHERE {where} ORDER BY {asked.order} LIMIT ? OFFSET ?"
        sql = f"SELECT records.* FROM ({places}) JOIN records ON records.rowid = place ORDER BY {asked.order}"
        rows = connection.execute(sql, (*values, *bounds)).fetchall()
    return Page(tuple(Record.from_row(row) for row in rows), total)


def _where(account: str, asked: Question) -> tuple[str, tuple[str | int, ...]]:
    """Archived and cancelled records stay out unless the caller has a say about them, and people who left always."""
    clauses = ["account = ?", "resource = ?", *SUBSETS[asked.subset]]
    if asked.resource.people and not asked.subset:
        clauses.append("json_extract(body, '$.active') = 1")
    named = {condition.field for condition in asked.conditions}
    for column in ("archived_at", "cancelled_at"):
        if not asked.subset and column in asked.resource.stamps and column not in named:
            clauses.append(f"{column} IS NULL")
    clauses += [condition.sql for condition in asked.conditions]
    values = [value for each in asked.conditions for value in each.values]
    return " AND ".join(clauses), (account, asked.resource.name, *values)


def _order(resource: Resource, args: MultiDict[str, str]) -> str:
    """Cliniko promises no order among equals. Here they come latest id first, so that nobody grows to rely on one."""
    fallback = args.get("order") or "asc"
    terms = []
    for term in (args.get("sort") or "created_at").split(","):
        name, _, direction = term.strip().partition(":")
        if name not in resource.fields:
            raise BadRequest(f"{name[:80]} is not sortable")
        if (direction or fallback) not in ("asc", "desc"):
            raise BadRequest(f"{(direction or fallback)[:80]} is not a valid order")
        terms.append(f"{resource.fields[name].sql} {direction or fallback}")
    by_id = any(term.startswith("id ") for term in terms)
    return ", ".join(terms if by_id else [*terms, "id desc"])


def _positive(args: MultiDict[str, str], name: str, default: int) -> int:
    text = args.get(name)
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit() and int(text[:12]) >= 1):
        raise BadRequest(f"{name} must be a positive integer")
    return int(text[:12])
