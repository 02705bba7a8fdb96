"""Which labels may be a clinic's subdomain, in the one function and in the database alike."""

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


@pytest.mark.parametrize("label", GOOD)
def test_a_good_label_passes_the_function_and_the_database(db: None, label: str) -> None:
    assert check_label(label) == label
    clinic = Clinic.objects.create(label=label, name="Any")
    Domain.objects.create(domain=label, tenant=clinic)


@pytest.mark.parametrize("label", BAD)
def test_a_bad_label_passes_neither(bondi: Clinic, label: str) -> None:
    with pytest.raises(LabelRefused):
        check_label(label)
    with pytest.raises(DatabaseError), transaction.atomic():
        Clinic.objects.create(label=label, name="Any")
    with pytest.raises(DatabaseError), transaction.atomic():
        Domain.objects.create(domain=label, tenant=bondi, is_primary=False)


def test_the_refusal_is_a_sentence(db: None) -> None:
    with pytest.raises(LabelRefused, match=r"3 to 63 lowercase letters, digits and hyphens.*\.$"):
        check_label("Bondi Physio")


@pytest.mark.parametrize("label", sorted(RESERVED_LABELS))
def test_a_reserved_label_is_refused(label: str) -> None:
    with pytest.raises(LabelRefused):
        check_label(label)


def test_a_schema_is_named_by_a_surrogate_and_not_by_the_label(bondi: Clinic) -> None:
    assert "bondi" not in bondi.schema_name
    with pytest.raises(IntegrityError), transaction.atomic():
        Clinic.objects.create(label="coogee", name="Coogee", schema_name="information_schema")


def test_a_label_leads_to_one_clinic_only(bondi: Clinic, harbour: Clinic) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Domain.objects.create(domain="bondi", tenant=harbour, is_primary=False)
