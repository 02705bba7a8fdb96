"""Clinic labels: check_label and the database constraints agree."""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from tenants.labels import RESERVED_LABELS, LabelRefused, check_label
from tenants.models import Clinic, Domain

GOOD = ["coogee", "au1", "staging-au1", "a-b", "123", "a" * 63, "a--b"]
BAD = [
    "",
    "a",
    "ab",
    "a" * 64,
    "-bondi",
    "bondi-",
    "Bondi",
    "bondi.physio",
    "bondi_physio",
    "bondi physio",
    "bondi\n",
    "bondí",
    "xn--bondi-9ra",
    "information_schema",
    "www",
    "admin",
    "ops",
]


def accepts(create: Callable[[], object]) -> bool:
    """Return True if the label passes check_label and the constraints."""
    try:
        with transaction.atomic():
            create()
    except (LabelRefused, DatabaseError):
        return False
    return True


def test_valid_labels_are_accepted(db: None) -> None:
    for label in GOOD:
        assert check_label(label) == label
        clinic = Clinic.objects.create(label=label, name="Any")
        Domain.objects.create(domain=label, tenant=clinic)


def test_invalid_labels_are_refused_by_the_function_and_the_database(bondi: Clinic) -> None:
    for label in BAD:
        assert not accepts(partial(check_label, label)), label
        assert not accepts(partial(Clinic.objects.create, label=label, name="Any")), label
        assert not accepts(partial(Domain.objects.create, domain=label, tenant=bondi, is_primary=False)), label


def test_the_error_explains_the_rule() -> None:
    with pytest.raises(LabelRefused, match=r"3 to 63 lowercase letters, digits and hyphens.*\.$"):
        check_label("Bondi Physio")


def test_reserved_labels_are_refused(db: None) -> None:
    assert [label for label in sorted(RESERVED_LABELS) if accepts(partial(check_label, label))] == []


def test_the_schema_name_does_not_contain_the_label(bondi: Clinic) -> None:
    assert "bondi" not in bondi.schema_name
    with pytest.raises(IntegrityError), transaction.atomic():
        Clinic.objects.create(label="coogee", name="Coogee", schema_name="information_schema")


def test_a_label_belongs_to_one_clinic(bondi: Clinic, harbour: Clinic) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Domain.objects.create(domain="bondi", tenant=harbour, is_primary=False)
