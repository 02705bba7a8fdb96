"""Filter, sort and paginate a list in SQL."""

from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from sandbox.cliniko.api.filters import Condition, parse_filter
from sandbox.cliniko.data.database import Database
from sandbox.cliniko.data.records import Record
from sandbox.cliniko.data.resources import Resource
from sandbox.cliniko.errors import BadRequest

MAX_PER_PAGE = 100
MAX_PAGE = 10**9
SUBSETS = {  # /patients/archived and similar, from the older API
    "": ("deleted_at IS NULL",),
    "archived": ("deleted_at IS NULL", "archived_at IS NOT NULL"),
    "cancelled": ("deleted_at IS NULL", "cancelled_at IS NOT NULL"),
    "deleted": ("deleted_at IS NOT NULL",),
    "inactive": ("json_extract(body, '$.active') = 0",),
}


@dataclass(frozen=True)
class ListQuery:
    """The parsed query string of a list request."""

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


def parse_query(
    resource: Resource, args: MultiDict[str, str], *, subset: str = "", also: tuple[str, ...] = ()
) -> ListQuery:
    """Parse the query string of a list request. Raises BadRequest. `also` adds filters that the path implies."""
    texts = [*args.getlist("q[]"), *args.getlist("q"), *also]
    return ListQuery(
        resource=resource,
        conditions=tuple(parse_filter(text, resource) for text in texts),
        order=_order(resource, args),
        page=min(_positive(args, "page", 1), MAX_PAGE),
        per_page=min(_positive(args, "per_page", 50), MAX_PER_PAGE),
        subset=subset,
    )


def fetch_page(database: Database, account: str, query: ListQuery) -> Page:
    where, values = _where(account, query)
    bounds = (query.per_page, (query.page - 1) * query.per_page)
    with database.reading() as connection:
        total = connection.execute(f"SELECT count(*) FROM records WHERE {where}", values).fetchone()[0]
        # Select row ids from an index first, then load the bodies of this page only.
        row_ids = f"SELECT rowid AS found FROM records WHERE {where} ORDER BY {query.order} LIMIT ? OFFSET ?"
        sql = f"SELECT records.* FROM ({row_ids}) JOIN records ON records.rowid = found ORDER BY {query.order}"
        rows = connection.execute(sql, (*values, *bounds)).fetchall()
    return Page(tuple(Record.from_row(row) for row in rows), total)


def _where(account: str, query: ListQuery) -> tuple[str, tuple[str | int, ...]]:
    """Exclude inactive people, and archived and cancelled records unless the caller filters by those fields."""
    clauses = ["account = ?", "resource = ?", *SUBSETS[query.subset]]
    if query.resource.people and not query.subset:
        clauses.append("json_extract(body, '$.active') = 1")
    named = {condition.field for condition in query.conditions}
    for column in ("archived_at", "cancelled_at"):
        if not query.subset and column in query.resource.stamps and column not in named:
            clauses.append(f"{column} IS NULL")
    clauses += [condition.sql for condition in query.conditions]
    values = [value for each in query.conditions for value in each.values]
    return " AND ".join(clauses), (account, query.resource.name, *values)


def _order(resource: Resource, args: MultiDict[str, str]) -> str:
    """Cliniko promises no order among equals. Return the latest id first, so callers can't rely on id order."""
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
