"""The list of clinics, read from the public schema alone, and its bulk actions."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from ops.console.actions import BULK_ACTIONS
from ops.console.clinic_list import ClinicAdmin
from ops.console.site import site
from ops.models import DailyStats
from tenants.database import connection
from tenants.dates import as_date, as_datetime
from tenants.models import Clinic, Domain
from tests.ops.console.pages import text
from tests.sql import executed_queries

Browsers = Callable[..., Client]


def column(name: str) -> int:
    """Return a column's number in the URL's `o` parameter; the checkboxes are column 0."""
    return ClinicAdmin.list_display.index(name) + 1


def many_clinics(count: int) -> None:
    made = Clinic.objects.bulk_create(
        Clinic(label=f"clinic-{number:04}", name=f"Clinic {number}", sync_state="ok", checked_at=timezone.now())
        for number in range(count)
    )
    Domain.objects.bulk_create(Domain(domain=each.label, tenant=each) for each in made)
    today = timezone.now().date()
    DailyStats.objects.bulk_create(
        DailyStats(clinic=each, day=today - timedelta(days=ago), launches=1, patients=10, lag_by_hour=[30] * 24)
        for each in made
        for ago in range(3)
    )


def test_the_list_shows_each_clinics_state(operator_client: Browsers, bondi: Clinic, harbour: Clinic) -> None:
    now = timezone.now()
    Clinic.objects.filter(label="bondi").update(sync_state="key_invalid", checked_at=now - timedelta(hours=3))
    Clinic.objects.filter(label="harbour").update(sync_state="paused", key_state="forbidden")
    page = text(operator_client().get("/ops/"))
    assert page.index("Bondi Physio") < page.index("Harbour Osteopathy")
    assert "key invalid" in page
    assert "forbidden" in page
    assert 'class="late">3 h<' in page
    assert f"{as_datetime(now - timedelta(hours=3))}<" in page
    assert "never synced" in page


@pytest.mark.parametrize(("days", "words"), [(3, "Closing on"), (0, "Closed since"), (-3, "Closed since")])
def test_a_closing_clinic_shows_its_closing_date(
    operator_client: Browsers, bondi: Clinic, harbour: Clinic, days: int, words: str
) -> None:
    day = timezone.now().date() + timedelta(days=days)
    Clinic.objects.filter(label="bondi").update(state="closing", closing_on=day)
    browser = operator_client()
    for page in ("/ops/", "/ops/clinics/bondi/"):
        assert f"{words} {as_date(day)}" in text(browser.get(page))
    assert "Clos" not in text(browser.get("/ops/clinics/harbour/")).replace("Close", "")


def test_the_list_can_be_searched_filtered_and_sorted(
    operator_client: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    Clinic.objects.filter(label="harbour").update(state="suspended", sync_state="unreachable")
    Clinic.objects.filter(label="bondi").update(sync_state="unreachable", key_state="invalid")
    browser = operator_client()

    def found(query: str) -> list[str]:
        page = text(browser.get(f"/ops/?{query}", follow=True))
        places = {label: page.find(f"/ops/clinics/{label}/") for label in ("bondi", "harbour")}
        return sorted((label for label, place in places.items() if place > 0), key=places.__getitem__)

    assert found("") == ["bondi", "harbour"]
    assert found("q=OSTEO") == ["harbour"]
    assert found("state=suspended") == ["harbour"]
    assert found("copy=trouble") == ["bondi"]
    assert found("key=invalid") == ["bondi"]
    assert found("key=missing") == ["harbour"]
    problems = {"active": ["harbour"], "setup": []}
    for state, shown in problems.items():
        Clinic.objects.filter(label="harbour").update(state=state, sync_state="no_key")
        Clinic.objects.filter(label="bondi").update(sync_state="paused")
        assert found("copy=trouble") == shown
    Clinic.objects.filter(label="harbour").update(state="suspended")
    for nonsense in (
        "state=nonsense",
        "state=purged",
        "o=nonsense",
        "p=x",
        "p=99",
        "nonsense=1",
        "key=x",
        "all=",
        "e=1",
    ):
        assert sorted(found(nonsense)) == ["bondi", "harbour"]
    DailyStats.objects.create(
        clinic=harbour, day=timezone.now().date(), launches=3, patients=9, lag_by_hour=[None] * 24
    )
    opened, patients = (column(name) for name in ("launches", "patients"))
    assert found(f"o=-{opened}") == found(f"o=-{patients}") == ["harbour", "bondi"]
    assert "No clinics found" in text(browser.get("/ops/?q=nothing"))


@pytest.mark.parametrize(
    "query",
    [
        "state_reason__startswith=x",
        "label__regex=(",
        "created_at__year=99999",
        "daily_stats=1",
        "schema_name=x",
        "q=%00",
    ],
)
def test_the_url_accepts_only_the_pages_filters(operator_client: Browsers, bondi: Clinic, query: str) -> None:
    response = operator_client().get(f"/ops/?{query}")
    assert response.status_code == 200
    assert "/ops/clinics/bondi/" in text(response) or query.startswith("q=")


def test_an_empty_list_says_what_to_do(operator_client: Browsers, bondi: Clinic, harbour: Clinic) -> None:
    Clinic.objects.update(state="purged")
    assert "No clinics yet" in text(operator_client().get("/ops/"))


def test_a_list_of_a_thousand_clinics_makes_as_many_queries_as_two_and_enters_no_schema(
    operator_client: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    browser = operator_client()
    browser.get("/ops/")

    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get("/ops/?p=1").status_code == 200
        assert not [each for each in caught if "search_path" in each["sql"] and "clinic_" in each["sql"]]
        return executed_queries(caught)

    few = statements()
    many_clinics(1000)
    many = statements()
    assert len(many) == len(few) <= 11


def test_the_list_has_fifty_clinics_per_page(operator_client: Browsers, bondi: Clinic) -> None:
    many_clinics(60)
    browser = operator_client()
    first, second = text(browser.get("/ops/?q=clinic-")), text(browser.get("/ops/?q=clinic-&p=2"))
    assert first.count('name="_selected_action"') == 50
    assert second.count('name="_selected_action"') == 10
    assert "?p=2&amp;q=clinic-" in first


def test_a_page_past_the_end_is_the_last_one_and_stays_filtered(operator_client: Browsers, bondi: Clinic) -> None:
    many_clinics(60)
    browser, past = operator_client(), "/ops/?p=99&q=clinic-"
    page = text(browser.get(past))
    assert page.count('name="_selected_action"') == 10
    assert "/ops/clinics/bondi/" not in page
    ticked = Clinic.objects.get(label="clinic-0059")
    assert browser.post(past, form_data("suspend", ticked, bondi))["Location"] == "/ops/do/suspend?clinic=clinic-0059"


def form_data(action: str, *clinics: Clinic) -> dict[str, Any]:
    """Return the list's form data with these clinics ticked."""
    return {"action": action, "index": "0", "_selected_action": [str(each.pk) for each in clinics]}


def test_selected_clinics_lead_to_the_confirmation_page(
    operator_client: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    browser = operator_client()
    assert browser.post("/ops/", form_data("suspend", harbour, bondi))["Location"] == (
        "/ops/do/suspend?clinic=bondi&clinic=harbour"
    )
    narrowed = browser.post("/ops/?q=bondi", form_data("suspend", harbour, bondi))
    assert narrowed["Location"] == "/ops/do/suspend?clinic=bondi"  # harbour wasn't in the list
    across = browser.post("/ops/", form_data("suspend", bondi) | {"select_across": "1"})
    assert across["Location"] == "/ops/do/suspend?clinic=bondi"
    assert Clinic.objects.filter(state="active").count() == 2
    assert not Event.objects.exists()


@pytest.mark.parametrize("action", ["", "nothing", "rename", "delete_selected"])
def test_unknown_bulk_actions_do_nothing(operator_client: Browsers, bondi: Clinic, action: str) -> None:
    response = operator_client().post("/ops/", form_data(action, bondi))
    assert (response.status_code, response["Location"]) == (302, "/ops/")
    assert Clinic.objects.filter(label="bondi", state="active").exists()


def test_an_action_without_a_selection_is_refused(operator_client: Browsers, bondi: Clinic) -> None:
    response = operator_client().post("/ops/", form_data("suspend"), follow=True)
    assert "Items must be selected" in text(response)


@pytest.mark.parametrize("ticked", ["x", "bondi", "\x00", "9" * 30])
def test_an_invalid_selection_is_a_bad_request(operator_client: Browsers, bondi: Clinic, ticked: str) -> None:
    form = {"action": "suspend", "index": "0", "_selected_action": ticked}
    assert operator_client().post("/ops/", form).status_code == 400


def test_checkboxes_and_buttons_have_labels(operator_client: Browsers, bondi: Clinic) -> None:
    page = text(operator_client().get("/ops/"))
    assert 'aria-label="Select bondi"' in page
    assert re.findall(r'name="action" value="(\w+)"', page) == [action.name for action in BULK_ACTIONS]
    assert page.count('aria-sort="ascending"') == 1


def test_the_admin_writes_no_log_and_permits_no_changes(
    operator_client: Browsers, bondi: Clinic, rf: RequestFactory
) -> None:
    operator_client().post("/ops/", form_data("suspend", bondi), follow=True)
    assert not LogEntry.objects.exists()
    admin = site.get_model_admin(Clinic)
    request = rf.get("/ops/")
    assert not admin.has_add_permission(request)
    assert not admin.has_change_permission(request, bondi)
    assert not admin.has_delete_permission(request, bondi)
    assert not admin.has_view_permission(request)  # not an operator
