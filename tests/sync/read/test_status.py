"""What staff and operators read about lists that Cliniko doesn't return."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from ops import onboarding
from sync.models import Cursor
from tenants.context import clinic_context

WEEKLY = "the weekly comparison finds them."
Refuse = Callable[..., dict[str, str]]


@pytest.fixture
def refuse_lists(mark_imported: Callable[[str], None]) -> Refuse:
    """`refuse_lists("patients/deleted")`: Bondi's key can't read these lists. Returns the messages by resource."""

    def refuse(*lists: str, asks_hidden: bool = False, imported: bool = True) -> dict[str, str]:
        now = timezone.now()
        for label in ("bondi", "harbour"):
            mark_imported(label)
        with clinic_context("bondi"):
            Cursor.objects.update(asks_hidden=asks_hidden)
            for name in lists:
                Cursor.objects.create(resource=name, refused_at=now, imported_at=now if imported else None)
        assert onboarding.report("harbour")["incomplete"] == {}
        incomplete: dict[str, str] = onboarding.report("bondi")["incomplete"]
        return incomplete

    return refuse


@pytest.mark.parametrize(
    ("name", "subset"),
    [
        ("patients/deleted", "deleted"),
        ("patients/archived", "archived"),
        ("individual_appointments/cancelled", "cancelled"),
    ],
)
def test_a_refused_subset_is_reported(refuse_lists: Refuse, name: str, subset: str) -> None:
    assert refuse_lists(name) == {name.partition("/")[0]: f"The API key can't list {subset} ones: {WEEKLY}"}


def test_several_refused_subsets_share_a_sentence(refuse_lists: Refuse) -> None:
    lists = [f"individual_appointments/{subset}" for subset in ("deleted", "archived", "cancelled")]
    assert "can't list deleted, archived or cancelled ones:" in refuse_lists(*lists)["individual_appointments"]


def test_records_of_a_subset_that_was_never_imported_are_reported_as_missing(refuse_lists: Refuse) -> None:
    incomplete = refuse_lists("patients/archived", "patients/deleted", imported=False)
    assert incomplete["patients"].endswith(f"{WEEKLY} Those archived before the first import are missing.")


def test_a_list_that_is_no_longer_used_is_not_reported(refuse_lists: Refuse) -> None:
    assert refuse_lists("patients/archived", asks_hidden=True) == {}


def test_a_failing_subset_is_reported(mark_imported: Callable[[str], None]) -> None:
    for label in ("bondi", "harbour"):
        mark_imported(label)
    with clinic_context("bondi"):
        Cursor.objects.create(resource="patients/deleted", failures=2)
    assert onboarding.report("bondi")["incomplete"] == {
        "patients": "Cliniko doesn't list deleted ones at the moment. We keep trying."
    }
    assert onboarding.report("harbour")["incomplete"] == {}
