"""The list of clinics: how each one stands, from public alone, and those chosen in it."""

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
from tests.sql import questions

Browsers = Callable[..., Client]


def column(name: str) -> int:
    """The number of a column of the list, as the address orders by it; the boxes to choose by are the first."""
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


def test_the_list_shows_how_each_clinic_stands(operator_client: Browsers, bondi: Clinic, harbour: Clinic) -> None:
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


@pytest.mark.parametrize(("days", "said"), [(3, "Closing on"), (0, "Closed since"), (-3, "Closed since")])
def test_a_clinic_that_closes_says_on_which_day_and_then_since_when(
    operator_client: Browsers, bondi: Clinic, harbour: Clinic, days: int, said: str
) -> None:
    day = timezone.now().date() + timedelta(days=days)
    Clinic.objects.filter(label="bondi").update(state="closing", closing_on=day)
    browser = operator_client()
    for page in ("/ops/", "/ops/clinics/bondi/"):
        assert f"{said} {as_date(day)}" in text(browser.get(page))
    assert "Clos" not in text(browser.get("/ops/clinics/harbour/")).replace("Close", "")


def test_the_list_is_narrowed_and_ordered(operator_client: Browsers, bondi: Clinic, harbour: Clinic) -> None:
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
    trouble = {"active": ["harbour"], "setup": []}
    for state, shown in trouble.items():
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
    "asked",
    [
        "state_reason__startswith=x",
        "label__regex=(",
        "created_at__year=99999",
        "daily_stats=1",
        "schema_name=x",
        "q=%00",
    ],
)
def test_the_address_asks_for_nothing_that_the_page_does_not_offer(
    operator_client: Browsers, bondi: Clinic, asked: str
) -> None:
    answer = operator_client().get(f"/ops/?{asked}")
    assert answer.status_code == 200
    assert "/ops/clinics/bondi/" in text(answer) or asked.startswith("q=")


def test_without_a_clinic_the_list_says_what_to_do(operator_client: Browsers, bondi: Clinic, harbour: Clinic) -> None:
    Clinic.objects.update(state="purged")
    assert "No clinics yet" in text(operator_client().get("/ops/"))


def test_a_list_of_a_thousand_asks_the_database_as_often_as_one_of_two_and_enters_no_clinic(
    operator_client: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    browser = operator_client()
    browser.get("/ops/")

    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get("/ops/?p=1").status_code == 200
        assert not [each for each in caught if "search_path" in each["sql"] and "clinic_" in each["sql"]]
        return questions(caught)

    few = statements()
    many_clinics(1000)
    many = statements()
    assert len(many) == len(few) <= 11


def test_fifty_stand_on_a_page_and_the_rest_behind_it(operator_client: Browsers, bondi: Clinic) -> None:
    many_clinics(60)
    browser = operator_client()
    first, second = text(browser.get("/ops/?q=clinic-")), text(browser.get("/ops/?q=clinic-&p=2"))
    assert first.count('name="_selected_action"') == 50
    assert second.count('name="_selected_action"') == 10
    assert "?p=2&amp;q=clinic-" in first


def test_a_page_past_the_end_is_the_last_one_and_stays_narrowed(operator_client: Browsers, bondi: Clinic) -> None:
    many_clinics(60)
    browser, past = operator_client(), "/ops/?p=99&q=clinic-"
    page = text(browser.get(past))
    assert page.count('name="_selected_action"') == 10
    assert "/ops/clinics/bondi/" not in page
    ticked = Clinic.objects.get(label="clinic-0059")
    assert browser.post(past, chosen("suspend", ticked, bondi))["Location"] == "/ops/do/suspend?clinic=clinic-0059"


def chosen(action: str, *clinics: Clinic) -> dict[str, Any]:
    """As the list's form sends it."""
    return {"action": action, "index": "0", "_selected_action": [str(each.pk) for each in clinics]}


def test_those_chosen_in_the_list_are_led_to_the_page_that_says_what_will_happen(
    operator_client: Browsers, bondi: Clinic, harbour: Clinic
) -> None:
    browser = operator_client()
    assert browser.post("/ops/", chosen("suspend", harbour, bondi))["Location"] == (
        "/ops/do/suspend?clinic=bondi&clinic=harbour"
    )
    narrowed = browser.post("/ops/?q=bondi", chosen("suspend", harbour, bondi))
    assert narrowed["Location"] == "/ops/do/suspend?clinic=bondi"  # what the list did not show is not chosen
    all_of_it = browser.post("/ops/", chosen("suspend", bondi) | {"select_across": "1"})
    assert all_of_it["Location"] == "/ops/do/suspend?clinic=bondi"
    assert Clinic.objects.filter(state="active").count() == 2
    assert not Event.objects.exists()


@pytest.mark.parametrize("action", ["", "nothing", "rename", "delete_selected"])
def test_the_list_does_nothing_that_it_does_not_offer(operator_client: Browsers, bondi: Clinic, action: str) -> None:
    answer = operator_client().post("/ops/", chosen(action, bondi))
    assert (answer.status_code, answer["Location"]) == (302, "/ops/")
    assert Clinic.objects.filter(label="bondi", state="active").exists()


def test_with_nobody_chosen_the_list_says_so(operator_client: Browsers, bondi: Clinic) -> None:
    answer = operator_client().post("/ops/", chosen("suspend"), follow=True)
    assert "Items must be selected" in text(answer)


@pytest.mark.parametrize("ticked", ["x", "bondi", "\x00", "9" * 30])
def test_what_is_no_number_is_not_ticked(operator_client: Browsers, bondi: Clinic, ticked: str) -> None:
    form = {"action": "suspend", "index": "0", "_selected_action": ticked}
    assert operator_client().post("/ops/", form).status_code == 400


def test_each_box_and_button_of_the_list_says_what_it_is_for(operator_client: Browsers, bondi: Clinic) -> None:
    page = text(operator_client().get("/ops/"))
    assert 'aria-label="Select bondi"' in page
    assert re.findall(r'name="action" value="(\w+)"', page) == [action.name for action in BULK_ACTIONS]
    assert page.count('aria-sort="ascending"') == 1


def test_the_admin_keeps_no_log_of_its_own_and_adds_and_changes_nothing(
    operator_client: Browsers, bondi: Clinic, rf: RequestFactory
) -> None:
    operator_client().post("/ops/", chosen("suspend", bondi), follow=True)
    assert not LogEntry.objects.exists()
    admin = site.get_model_admin(Clinic)
    request = rf.get("/ops/")
    assert not admin.has_add_permission(request)
    assert not admin.has_change_permission(request, bondi)
    assert not admin.has_delete_permission(request, bondi)
    assert not admin.has_view_permission(request)  # nobody of ops
