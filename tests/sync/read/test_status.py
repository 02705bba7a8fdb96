"""What staff and ops are told of lists that Cliniko does not give."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from ops import onboarding
from sync.models import Cursor
from tenants.context import clinic_context

WEEKLY = "that is noticed in the weekly comparison."


@pytest.fixture
def resting(mark_imported: Callable[[str], None]) -> Callable[..., dict[str, str]]:
    """`resting("patients/deleted")`: these lists of bondi's rest; what is told by resource. Harbour's are all read."""

    def rest(*lists: str, asks_hidden: bool = False, read_before: bool = True) -> dict[str, str]:
        now = timezone.now()
        for label in ("bondi", "harbour"):
            mark_imported(label)
        with clinic_context("bondi"):
            Cursor.objects.update(asks_hidden=asks_hidden)
            for name in lists:
                Cursor.objects.create(resource=name, refused_at=now, imported_at=now if read_before else None)
        assert onboarding.report("harbour")["incomplete"] == {}
        told: dict[str, str] = onboarding.report("bondi")["incomplete"]
        return told

    return rest


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("patients/deleted", "deleted"),
        ("patients/archived", "archived"),
        ("individual_appointments/cancelled", "cancelled"),
    ],
)
def test_a_list_beside_the_main_one_that_rests_is_told(
    resting: Callable[..., dict[str, str]], name: str, words: str
) -> None:
    sentence = f"Cliniko does not tell this key which of them were {words}: {WEEKLY}"
    assert resting(name) == {name.partition("/")[0]: sentence}


def test_several_lists_that_rest_are_told_in_one_sentence(resting: Callable[..., dict[str, str]]) -> None:
    lists = [f"individual_appointments/{subset}" for subset in ("deleted", "archived", "cancelled")]
    assert "which of them were deleted, archived or cancelled:" in resting(*lists)["individual_appointments"]


def test_what_was_never_read_is_said_to_be_missing(resting: Callable[..., dict[str, str]]) -> None:
    told = resting("patients/archived", "patients/deleted", read_before=False)
    assert told["patients"].endswith(f"{WEEKLY} Those archived before the first copy are not here.")


def test_a_list_that_is_no_longer_asked_for_is_not_told(resting: Callable[..., dict[str, str]]) -> None:
    assert resting("patients/archived", asks_hidden=True) == {}


def test_a_list_beside_the_main_one_that_cliniko_fails_to_give_is_told(
    mark_imported: Callable[[str], None],
) -> None:
    for label in ("bondi", "harbour"):
        mark_imported(label)
    with clinic_context("bondi"):
        Cursor.objects.create(resource="patients/deleted", failures=2)
    assert onboarding.report("bondi")["incomplete"] == {
        "patients": "Cliniko does not tell at the moment which of them were deleted. We keep trying."
    }
    assert onboarding.report("harbour")["incomplete"] == {}
