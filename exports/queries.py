"""The statements that read what is exported, as PostgreSQL's COPY sends it: nothing passes through objects."""

from django.apps import apps
from django.db import connection
from django.db.models import DateTimeField, Model

from exports.contents import Table
from exports.spreadsheets import FORMULA

_FORMULA = f"^[{''.join(sorted(FORMULA, key='-'.__eq__))}]"  # a dash at the end is a dash


def json_lines(table: Table) -> str:
    """A JSON object a row, times in UTC. COPY doubles each backslash of it, and changes nothing else."""
    parts = [f"held.{quoted(column)}" for column in table.columns]
    if "payload" not in table.columns:  # what is computed of a payload is for the CSV alone
        parts += [f"{expression} AS {quoted(name)}" for name, expression in table.computed.items()]
    rows = f"SELECT {', '.join(parts)} {_source(table)}"
    return f"COPY (SELECT row_to_json(line) FROM ({rows}) AS line) TO STDOUT"  # noqa: S608 - our own words


def csv(table: Table, zone: str) -> str:
    """CSV with headings, times as clocks show them in `zone`, no cell a formula."""
    headings = table.sheet or (*table.columns, *table.computed)
    cells = (f"{_neutral(_cell(table, heading, zone))} AS {quoted(heading)}" for heading in headings)
    fields = [heading for heading in headings if heading not in table.columns and heading not in table.computed]
    # The payload is taken apart once a row, not once a cell.
    typed = ", ".join(f"{quoted(name)} text" for name in fields)
    apart = f"CROSS JOIN LATERAL jsonb_to_record(held.payload) AS field({typed})" if fields else ""
    return f"COPY (SELECT {', '.join(cells)} {_source(table, apart)}) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)"


def count(table: Table) -> str:
    """How many rows both have."""
    return f"SELECT count(*) {_source(table, ordered=False)}"


def model_of(table: Table) -> type[Model]:
    return apps.get_model(table.model)


def quoted(name: str) -> str:
    return str(connection.ops.quote_name(name))


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _source(table: Table, apart: str = "", *, ordered: bool = True) -> str:
    order = f"ORDER BY held.{quoted(table.order)}" if table.order and ordered else ""
    return f"FROM {quoted(model_of(table)._meta.db_table)} AS held {apart} {table.joins} {order}"


def _cell(table: Table, heading: str, zone: str) -> str:
    """The heading's value as text."""
    if heading in table.computed:
        return f"({table.computed[heading]})::text"
    if heading not in table.columns:
        return f"field.{quoted(heading)}"
    times = {field.column for field in model_of(table)._meta.concrete_fields if isinstance(field, DateTimeField)}
    if heading in times:
        return f"to_char(held.{quoted(heading)} AT TIME ZONE {literal(zone)}, 'YYYY-MM-DD HH24:MI:SS')"
    return f"held.{quoted(heading)}::text"


def _neutral(cell: str) -> str:
    r"""As exports.spreadsheets does it. `\&` is what was found."""
    return rf"regexp_replace({cell}, {literal(_FORMULA)}, '''\&')"
