"""Every URL is tested with every role, from one complete table."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.roles import Role
from tests.project.url_table import BASE_ROWS, CLINIC_ROWS, BaseRow, Row, routes_of, summarize

MANAGERS = (Role.OWNER, Role.ADMIN)
pytestmark = pytest.mark.usefixtures("same_staff", "cliniko_network")


@pytest.mark.parametrize(("urlconf", "table"), [("saas.urls_clinic", CLINIC_ROWS), ("saas.urls_public", BASE_ROWS)])
def test_the_table_lists_exactly_the_routes(urlconf: str, table: list[Row] | list[BaseRow]) -> None:
    assert {row.route for row in table} == routes_of(urlconf)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_methods_are_refused_at_a_clinic(
    clinic_client: Callable[[str], Client], staff_client: Callable[..., Client], method: str
) -> None:
    listed = {row.route for row in CLINIC_ROWS if row.method == method}
    paths = {row.route: row.path for row in CLINIC_ROWS}
    sign_in, refusals = {302}, {403, 404, 405}
    for browser, allowed in (
        (clinic_client("bondi"), refusals | sign_in),
        (staff_client("bondi", Role.OWNER), refusals),
    ):
        got = {route: browser.generic(method, path).status_code for route, path in paths.items() if route not in listed}
        assert {route: status for route, status in got.items() if status not in allowed} == {}


@pytest.mark.parametrize("row", CLINIC_ROWS, ids=str)
def test_each_role_gets_the_response_in_the_table_at_a_clinic(
    clinic_client: Callable[[str], Client], staff_client: Callable[..., Client], row: Row
) -> None:
    browsers = {"visitor": clinic_client("bondi")} | {role.value: staff_client("bondi", role) for role in Role}
    got = {who: summarize(browser.generic(row.method, row.path)) for who, browser in browsers.items()}
    expected = {role.value: row.manager if role in MANAGERS else row.staff for role in Role}
    assert got == {"visitor": row.visitor} | expected | ({"admin": row.admin} if row.admin else {})


def test_staff_of_another_clinic_count_as_signed_out_here(staff_client: Callable[..., Client]) -> None:
    browser = staff_client("harbour", Role.OWNER)
    cookie = browser.cookies["sessionid"].value
    for row in CLINIC_ROWS:
        browser.cookies["sessionid"] = cookie
        response = browser.generic(row.method, row.path, headers={"Host": "bondi.localhost"})
        assert summarize(response) == row.visitor, row
        browser.cookies["sessionid"] = cookie
        assert browser.get("/").status_code == 200, row  # still signed in at harbour


@pytest.mark.parametrize("row", BASE_ROWS, ids=str)
def test_each_role_gets_the_response_in_the_table_on_the_base_host(
    client: Client, staff_client: Callable[..., Client], operator_client: Callable[..., Client], row: BaseRow
) -> None:
    browsers = {
        "visitor": client,
        "a clinic's owner": staff_client("bondi", Role.OWNER),
        "operator": operator_client("ana"),
        "operator without second factor": operator_client("ben", second_factor=False),
    }
    got = {
        who: summarize(each.generic(row.method, row.path, headers={"Host": "localhost"}))
        for who, each in browsers.items()
    }
    expected = {
        "visitor": row.visitor,
        "a clinic's owner": row.visitor,
        "operator": row.operator,
        "operator without second factor": row.new_operator,
    }
    assert got == expected


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_methods_are_refused_on_the_base_host(
    client: Client, operator_client: Callable[..., Client], method: str
) -> None:
    listed = {row.route for row in BASE_ROWS if row.method == method}
    paths = {row.route: row.path for row in BASE_ROWS if row.route not in listed}
    for browser in (client, operator_client("ana")):
        got = {
            route: browser.generic(method, path, headers={"Host": "localhost"}).status_code
            for route, path in paths.items()
        }
        assert {route: status for route, status in got.items() if status not in {302, 401, 403, 404, 405}} == {}
