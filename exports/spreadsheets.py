"""CSV that spreadsheets read as text and never as formulas."""

import csv
from collections.abc import Iterable
from io import StringIO

BYTE_ORDER_MARK = "\ufeff"  # Excel needs it to recognise UTF-8
# Reference: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_header(headings: Iterable[str]) -> str:
    """Return the start of a CSV file: the byte order mark and the heading row."""
    return BYTE_ORDER_MARK + csv_rows([headings])


def csv_rows(rows: Iterable[Iterable[str]]) -> str:
    """Return the rows as CSV, with an apostrophe before each cell that a spreadsheet could take for a formula."""
    text = StringIO()
    escaped = ([f"'{cell}" if cell.startswith(FORMULA_PREFIXES) else cell for cell in row] for row in rows)
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(escaped)
    return text.getvalue()
