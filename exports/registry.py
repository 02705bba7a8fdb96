"""The tables of a clinic's schema: exported column by column, or left out with a reason.

Each app above exports registers its own tables in its AppConfig.ready. `exports.contents` registers those of the apps
below. A test fails for a table or column that is neither exported nor left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import Model


@dataclass(frozen=True)
class ExportTable:
    """The content of `<name>.jsonl` and `<name>.csv`.

    `columns` are the table's own; `computed` maps names to SQL expressions over `source`, the table's alias. `headings`
    are the CSV's columns: any of `columns`, `computed` or the payload's fields; empty means all of the first two.
    `excluded` maps the other columns to the reason why they aren't exported.
    """

    model: type[Model]
    name: str
    description: str
    columns: tuple[str, ...]
    headings: tuple[str, ...] = ()
    computed: Mapping[str, str] = field(default_factory=dict)
    joins: str = ""
    order: str = ""
    excluded: Mapping[str, str] = field(default_factory=dict)


_tables: list[ExportTable] = []
_excluded: dict[type[Model], str] = {}


def register_tables(tables: Iterable[ExportTable], *, excluded: Mapping[type[Model], str]) -> None:
    """Add an app's tables to the export. `excluded` maps its other models to the reason why they aren't exported."""
    _tables.extend(tables)
    _excluded.update(excluded)


def export_tables() -> tuple[ExportTable, ...]:
    return tuple(_tables)


def excluded_tables() -> dict[type[Model], str]:
    """Return the models that aren't exported, each with the reason."""
    return dict(_excluded)
