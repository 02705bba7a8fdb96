"""CSV that a spreadsheet opens as what it is: text, never a formula."""

import csv
from collections.abc import Iterable
from io import StringIO

BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as something else
# Reference: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def opening(headings: Iterable[str]) -> str:
    """How a file with these columns begins."""
    return BYTE_ORDER_MARK + lines([headings])


def lines(rows: Iterable[Iterable[str]]) -> str:
    """The rows, each a line."""
    text = StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(map(_neutral, row) for row in rows)
    return text.getvalue()


def _neutral(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell
