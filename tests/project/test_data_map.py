"""docs/privacy.md lists every table of both schemas, and every field group with its fields."""

import re

import pytest

from sync.field_groups import FIELD_GROUPS
from tests.project.test_model_schemas import TABLES, Schemas
from tests.services import ROOT

PAGE = (ROOT / "docs" / "privacy.md").read_text()


def section(title: str) -> str:
    """Return the text below a second-level heading."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("title", "place"), [("The clinic's schema", Schemas.CLINIC), ("The public schema", Schemas.PUBLIC)]
)
def test_the_data_map_lists_exactly_the_tables_of_each_schema(title: str, place: Schemas) -> None:
    cells = [line.split("|")[1] for line in section(title).splitlines() if line.startswith("| `")]
    named = [table for cell in cells for table in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(table for table, places in TABLES.items() if place in places)


def test_each_table_with_personal_data_states_retention_and_access() -> None:
    for line in section("The clinic's schema").splitlines():
        if line.startswith("| `") and "auth_group" not in line and "emailaddress" not in line:
            assert all(cell.strip() for cell in line.strip("|").split("|")), line


def test_the_data_map_lists_each_field_group_with_its_fields() -> None:
    rows = dict(re.findall(r"^\| ([A-Z][^|]*) \| (.*) \|$", section("Groups of fields"), re.MULTILINE))
    named = {label: set(re.findall(r"`(\w+)`", fields)) for label, fields in rows.items()}
    assert named == {
        group.label: {field for fields in group.fields.values() for field in fields} for group in FIELD_GROUPS
    }
