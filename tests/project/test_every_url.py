"""Every URL x every kind of visitor, in one table that has to name them all."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.roles import Role
from tests.project.url_table import AT_A_CLINIC, ON_THE_BASE_HOST, BaseRow, Row, outcome, routes_of

MANAGERS = (Role.OWNER, Role.ADMIN)
pytestmark = pytest.mark.usefixtures("alike", "no_cliniko")


@pytest.mark.parametrize(
    ("urlconf", "table"), [("saas.urls_clinic", AT_A_CLINIC), ("saas.urls_public", ON_THE_BASE_HOST)]
)
def test_the_table_names_every_route_and_no_other(urlconf: str, table: list[Row] | list[BaseRow]) -> None:
    assert {row.route for row in table} == routes_of(urlconf)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_method_that_the_table_does_not_name_is_refused(
    clinic_client: Callable[[str], Client], staff_client: Callable[..., Client], method: str
) -> None:
    named = {row.route for row in AT_A_CLINIC if row.method == method}
    paths = {row.route: row.path for row in AT_A_CLINIC}
    to_sign_in, refusals = {302}, {403, 404, 405}
    for browser, fine in (
        (clinic_client("bondi"), refusals | to_sign_in),
        (staff_client("bondi", Role.OWNER), refusals),
    ):
        got = {route: browser.generic(method, path).status_code for route, path in paths.items() if route not in named}
        assert {route: status for route, status in got.items() if status not in fine} == {}


@pytest.mark.parametrize("row", AT_A_CLINIC, ids=str)
def test_at_a_clinic_each_gets_what_the_table_says(
    clinic_client: Callable[[str], Client], staff_client: Callable[..., Client], row: Row
) -> None:
    browsers = {"visitor": clinic_client("bondi")} | {role.value: staff_client("bondi", role) for role in Role}
    got = {who: outcome(browser.generic(row.method, row.path)) for who, browser in browsers.items()}
    expected = {role.value: row.manager if role in MANAGERS else row.staff for role in Role}
    assert got == {"visitor": row.visitor} | expected | ({"admin": row.admin} if row.admin else {})


@pytest.mark.parametrize("row", AT_A_CLINIC, ids=str)
def test_staff_of_another_clinic_are_visitors_here_and_stay_signed_in_there(
    staff_client: Callable[..., Client], row: Row
) -> None:
    browser = staff_client("harbour", Role.OWNER)
    cookie = browser.cookies["sessionid"].value
    assert outcome(browser.generic(row.method, row.path, headers={"Host": "bondi.localhost"})) == row.visitor
    browser.cookies["sessionid"] = cookie
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("row", ON_THE_BASE_HOST, ids=str)
def test_on_the_base_host_each_gets_what_the_table_says(
    client: Client, staff_client: Callable[..., Client], operator_client: Callable[..., Client], row: BaseRow
) -> None:
    browsers = {
        "visitor": client,
        "a clinic's owner": staff_client("bondi", Role.OWNER),
        "ops": operator_client("ana"),
        "newcomer": operator_client("ben", second_factor=False),
    }
    got = {
        who: outcome(each.generic(row.method, row.path, headers={"Host": "localhost"}))
        for who, each in browsers.items()
    }
    expected = {"visitor": row.visitor, "a clinic's owner": row.visitor, "ops": row.ops, "newcomer": row.newcomer}
    assert got == expected


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_on_the_base_host_a_method_that_the_table_does_not_name_is_refused(
    client: Client, operator_client: Callable[..., Client], method: str
) -> None:
    named = {row.route for row in ON_THE_BASE_HOST if row.method == method}
    paths = {row.route: row.path for row in ON_THE_BASE_HOST if row.route not in named}
    for browser in (client, operator_client("ana")):
        got = {
            route: browser.generic(method, path, headers={"Host": "localhost"}).status_code
            for route, path in paths.items()
        }
        assert {route: status for route, status in got.items() if status not in {302, 401, 403, 404, 405}} == {}
