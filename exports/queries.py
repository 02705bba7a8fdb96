"""COPY statements that read a clinic's tables without creating Django objects."""

from django.db import connection
from django.db.models import DateTimeField

from exports.registry import ExportTable
from exports.spreadsheets import FORMULA_PREFIXES

_FORMULA = f"^[{''.join(sorted(FORMULA_PREFIXES, key='-'.__eq__))}]"  # "-" comes last, where it isn't a range


def copy_json_lines(table: ExportTable) -> str:
    """Return a COPY of one JSON object per row, with times in UTC. COPY doubles each backslash."""
    parts = [f"source.{_quote(column)}" for column in table.columns]
    if "payload" not in table.columns:  # values computed from a payload are for the CSV only
        parts += [f"{expression} AS {_quote(name)}" for name, expression in table.computed.items()]
    rows = f"SELECT {', '.join(parts)} {_from(table)}"
    return f"COPY (SELECT row_to_json(line) FROM ({rows}) AS line) TO STDOUT"  # noqa: S608 - names from the registry


def copy_csv(table: ExportTable, zone: str) -> str:
    """Return a COPY as CSV with headings, local times of `zone`, and no cell that is a formula."""
    headings = table.headings or (*table.columns, *table.computed)
    cells = (f"{_escape(_cell(table, heading, zone))} AS {_quote(heading)}" for heading in headings)
    fields = [heading for heading in headings if heading not in table.columns and heading not in table.computed]
    # Parses the payload once per row instead of once per cell.
    typed = ", ".join(f"{_quote(name)} text" for name in fields)
    payload = f"CROSS JOIN LATERAL jsonb_to_record(source.payload) AS field({typed})" if fields else ""
    return f"COPY (SELECT {', '.join(cells)} {_from(table, payload)}) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)"


def count_rows(table: ExportTable) -> str:
    return f"SELECT count(*) {_from(table, ordered=False)}"


def _from(table: ExportTable, payload: str = "", *, ordered: bool = True) -> str:
    order = f"ORDER BY source.{_quote(table.order)}" if table.order and ordered else ""
    return f"FROM {_quote(table.model._meta.db_table)} AS source {payload} {table.joins} {order}"


def _cell(table: ExportTable, heading: str, zone: str) -> str:
    """Return the SQL of a heading's value as text."""
    if heading in table.computed:
        return f"({table.computed[heading]})::text"
    if heading not in table.columns:
        return f"field.{_quote(heading)}"
    times = {field.column for field in table.model._meta.concrete_fields if isinstance(field, DateTimeField)}
    if heading in times:
        return f"to_char(source.{_quote(heading)} AT TIME ZONE {_literal(zone)}, 'YYYY-MM-DD HH24:MI:SS')"
    return f"source.{_quote(heading)}::text"


def _escape(cell: str) -> str:
    r"""Do in SQL what exports.spreadsheets does. `\&` is the matched text."""
    return rf"regexp_replace({cell}, {_literal(_FORMULA)}, '''\&')"


def _quote(name: str) -> str:
    return str(connection.ops.quote_name(name))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
