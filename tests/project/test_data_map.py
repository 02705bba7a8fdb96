"""docs/privacy.md names every table of either schema, every group of fields and every field in one."""

import re

import pytest

from sync.field_groups import FIELD_GROUPS
from tests.project.production import ROOT
from tests.project.test_model_schemas import PLACES, In

PAGE = (ROOT / "docs" / "privacy.md").read_text()


def section(title: str) -> str:
    """The text below a heading of the second rank, up to the next one."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(("title", "place"), [("The clinic's schema", In.CLINIC), ("The public schema", In.PUBLIC)])
def test_the_map_names_the_tables_of_a_schema_and_no_other(title: str, place: In) -> None:
    cells = [line.split("|")[1] for line in section(title).splitlines() if line.startswith("| `")]
    named = [table for cell in cells for table in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(table for table, places in PLACES.items() if place in places)


def test_each_table_with_people_in_it_says_for_how_long_and_who_sees_it() -> None:
    for line in section("The clinic's schema").splitlines():
        if line.startswith("| `") and "auth_group" not in line and "emailaddress" not in line:
            assert all(cell.strip() for cell in line.strip("|").split("|")), line


def test_the_map_names_each_group_with_its_fields() -> None:
    rows = dict(re.findall(r"^\| ([A-Z][^|]*) \| (.*) \|$", section("Groups of fields"), re.MULTILINE))
    named = {label: set(re.findall(r"`(\w+)`", fields)) for label, fields in rows.items()}
    assert named == {
        group.label: {field for fields in group.fields.values() for field in fields} for group in FIELD_GROUPS
    }
