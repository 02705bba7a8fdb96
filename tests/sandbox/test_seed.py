"""Invented clinics: reproducible, different from each other, and varied."""

import re
import time
import unicodedata

import pytest

from sandbox.cliniko.store import Store
from tests.sandbox.conftest import FakeClock

PHONE = re.compile(r"(\+61 ?491 ?570 ?|61491570|0491 570 )\d{3}|02 5550 \d{4}")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("seeded") / "cliniko.sqlite3", now=FakeClock())
    store.add_account("bondi", "au1", 7, 1200)
    store.add_account("harbour", "au2", 7, 300)
    yield store
    store.close()


def bodies(store, account="bondi", resource="patients"):
    return [record.body for record in store.all(account, resource)]


def share(people, test):
    return sum(map(bool, map(test, people))) / len(people)


def test_seeding_1500_patients_takes_less_than_five_seconds():
    store = Store()
    started = time.perf_counter()
    store.add_account("bondi", "au1", 7, 1500)
    assert time.perf_counter() - started < 5
    store.close()


def test_both_accounts_use_the_same_ids_for_different_people(seeded):
    bondi, harbour = ({each.id: each.body for each in seeded.all(name, "patients")} for name in ("bondi", "harbour"))
    assert set(harbour) < set(bondi)
    assert min(bondi) == 1713650742029190001
    same_name = [id for id in harbour if harbour[id]["first_name"] == bondi[id]["first_name"]]
    assert len(same_name) < len(harbour) / 5


def test_the_seed_determines_people_and_key():
    stores = [Store() for _ in range(3)]
    for store, seed in zip(stores, (7, 7, 8), strict=True):
        store.add_account("bondi", "au1", seed, 40)
    names = [[body["last_name"] for body in bodies(store)] for store in stores]
    keys = [store.key("bondi") for store in stores]
    for store in stores:
        store.close()
    assert names[0] == names[1] != names[2]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    "script", ["LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW", "CJK", "HIRAGANA", "HANGUL", "THAI", "DEVANAGARI"]
)
def test_names_come_in_many_scripts(seeded, script):
    letters = {letter for body in bodies(seeded) for letter in body["first_name"] if letter.isalpha()}
    assert any(unicodedata.name(letter).startswith(script) for letter in letters)


@pytest.mark.parametrize("character", ["'", "-", " ", "ā", "ễ", "Ó"])
def test_names_contain_punctuation_and_diacritics(seeded, character):
    assert any(character in body["first_name"] + body["last_name"] for body in bodies(seeded))


def test_patients_vary_in_age_contact_details_and_state(seeded):
    people = bodies(seeded)
    assert 0.02 < share(people, lambda each: not each["date_of_birth"]) < 0.07
    births = sorted(each["date_of_birth"] for each in people if each["date_of_birth"])
    assert births[0] < "1926"
    assert births[-1] > "2025"
    assert {len(each["patient_phone_numbers"]) for each in people} == {0, 1, 2, 3, 4}
    assert {each["accepted_privacy_policy"] for each in people} == {True, False, None}
    assert any(not each["last_name"] for each in people)
    assert any(len(each["first_name"] + each["last_name"]) > 60 for each in people)
    assert 0.01 < share(seeded.all("bondi", "patients"), lambda each: each.archived_at) < 0.06
    assert sum(bool(each["merged_at"]) for each in people) == 5


def test_empty_values_are_null_or_empty_strings(seeded):
    people = bodies(seeded)
    for name in ("date_of_birth", "notes", "preferred_first_name"):
        assert {None, ""} <= {each[name] for each in people}


def test_contact_details_are_fictional(seeded):
    for account in ("bondi", "harbour"):
        for body in bodies(seeded, account):
            assert all(PHONE.fullmatch(phone["number"]) for phone in body["patient_phone_numbers"])
            assert not body["email"] or body["email"].endswith(("@example.com", "@example.org"))


def test_custom_fields_have_every_type(seeded):
    sections = [section for body in bodies(seeded) for section in body["custom_fields"]["sections"]]
    kinds = {field["type"] for section in sections for field in section["fields"]}
    assert kinds == {"text", "paragraph", "checkboxes", "radiobuttons", "date", "header"}
    assert len({section["name"] for section in sections}) >= 3
    assert any(field.get("other") for section in sections for field in section["fields"])


def test_one_in_eight_has_alerts_including_long_ones_and_markup(seeded):
    alerts = seeded.all("bondi", "medical_alerts")
    with_alerts = {each.patient_id for each in alerts}
    assert 0.08 < len(with_alerts) / 1200 < 0.16
    assert any("<script>" in each.body["name"] for each in alerts)
    assert any(len(each.body["name"]) > 300 for each in alerts)


def test_appointments_span_two_past_years_and_eight_upcoming_weeks(seeded):
    visits = seeded.all("bondi", "individual_appointments")
    starts = sorted(each.body["starts_at"] for each in visits)
    assert "2024-03" <= starts[0][:7] <= "2024-04"
    assert "2026-04-1" <= starts[-1] <= "2026-04-29"
    assert any(each.body["did_not_arrive"] for each in visits)
    assert any(each.body["patient_arrived"] for each in visits)
    assert all(each.body["cancellation_reason_description"] for each in visits if each.cancelled_at)
    assert not any(each.body["patient_arrived"] for each in visits if each.body["starts_at"] > "2026-03-03")
    most = max(len(seeded.for_patient("bondi", "individual_appointments", each.patient_id)) for each in visits[:200])
    assert most <= 14


def test_updated_at_is_between_created_at_and_now(seeded):
    for resource in ("patients", "medical_alerts", "individual_appointments", "group_appointments", "attendees"):
        for each in seeded.all("bondi", resource):
            assert each.created_at <= each.updated_at <= "2026-03-02T09:00:00Z"


def test_hundreds_of_patients_share_one_timestamp(seeded):
    seconds = [each.updated_at for each in seeded.all("bondi", "patients")]
    assert max(map(seconds.count, set(seconds))) > 200


def test_appointments_refer_to_existing_records(seeded):
    known = {name: {str(each.id) for each in seeded.all("bondi", name)} for name in ("practitioners", "businesses")}
    for each in seeded.all("bondi", "individual_appointments"):
        assert each.body["practitioner"] in known["practitioners"]
        assert each.body["business"] in known["businesses"]
    assert 4 <= len(known["practitioners"]) <= 6
    assert len(known["businesses"]) == 2


def test_classes_have_adult_attendees(seeded):
    patients = {each.id: each.body for each in seeded.all("bondi", "patients")}
    groups = {str(each.id): each.body for each in seeded.all("bondi", "group_appointments")}
    attendees = seeded.all("bondi", "attendees")
    assert 60 < len(groups) < 120
    assert 3 <= len(attendees) / len(groups) <= 8
    assert not groups.keys() & {str(each.id) for each in seeded.all("bondi", "individual_appointments")}
    assert {each.body["booking"] for each in attendees} == groups.keys()
    assert all((patients[each.patient_id]["date_of_birth"] or "") < "2010" for each in attendees)
    assert {each.body["arrived"] for each in attendees} == {None, True, False}
    assert any(each.cancelled_at for each in attendees)
    upcoming = [each for each in attendees if groups[each.body["booking"]]["starts_at"] > "2026-03-03"]
    assert upcoming
    assert not any(each.body["arrived"] for each in upcoming)


def test_a_clinic_without_patients_has_no_classes(store):
    assert store.all("bondi", "group_appointments") == []
