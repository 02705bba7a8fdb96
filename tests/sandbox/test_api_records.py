"""Records in the API: their fields, and edits, archiving, deletion and merging."""

import re

import pytest

from sandbox.cliniko.errors import SandboxError

HOST = "http://localhost/api/au1/v1"
FIELDS = """id first_name last_name preferred_first_name title label date_of_birth sex gender_identity pronouns email
patient_phone_numbers address_1 address_2 address_3 city state post_code country country_code time_zone
emergency_contact occupation referral_source reminder_type notes appointment_notes medicare medicare_reference_number
dva_card_number accepted_privacy_policy accepted_email_marketing accepted_sms_marketing custom_fields concession_type
referring_doctor created_at updated_at archived_at deleted_at merged_at merged_with_patient links"""


@pytest.fixture
def ada(store):
    return store.add_patient("bondi", first_name="Ada", last_name="Beach")


def test_a_patient_has_every_documented_field(bondi, ada):
    patient = bondi.json(f"/patients/{ada}")
    assert set(FIELDS.split()) <= patient.keys()
    assert patient["links"]["self"] == f"{HOST}/patients/{ada}"
    assert patient["label"] == "Ada Beach"


def test_ids_are_strings_of_19_digits(bondi, ada):
    assert bondi.json(f"/patients/{ada}")["id"] == ada
    assert re.fullmatch("[0-9]{19}", ada)


def test_ids_beyond_float_precision_are_distinct(bondi, store):
    for number, name in ((9007199254740992, "Even"), (9007199254740993, "Odd")):
        store.add_patient("bondi", id=number, first_name=name)
    assert bondi.json("/patients/9007199254740992")["first_name"] == "Even"
    assert bondi.json("/patients/9007199254740993")["first_name"] == "Odd"
    assert bondi.ids("/patients?q[]=id:=9007199254740993") == ["9007199254740993"]


def test_times_are_utc_to_the_second(bondi, ada):
    assert bondi.json(f"/patients/{ada}")["updated_at"] == "2026-03-02T09:00:00Z"


def test_an_unknown_record_is_not_found(bondi):
    for id in ("1", "0", "-1", "99999999999999999999999", "abc", "1713650742029190001.0", "%D9%A4%D9%A2"):
        response = bondi.get(f"/patients/{id}")
        assert response.status_code == 404, id
        assert "could not be found" in response.get_json()["message"]


def test_links_use_the_requested_host(bondi, ada):
    patient = bondi.get(f"/patients/{ada}", Host="cliniko.localhost:8100").get_json()
    assert patient["links"]["self"] == f"http://cliniko.localhost:8100/api/au1/v1/patients/{ada}"


def test_an_edit_changes_only_its_fields_and_updated_at(bondi, store, clock, ada):
    before = bondi.json(f"/patients/{ada}")
    clock.advance(61)
    store.edit("bondi", "patients", ada, last_name="Beach-Ó Dálaigh")
    after = bondi.json(f"/patients/{ada}")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"last_name", "label", "updated_at"}
    assert after["updated_at"] == "2026-03-02T09:01:01Z"


def test_an_archived_patient_is_not_listed_but_can_be_fetched(bondi, store, clock, ada):
    clock.advance(5)
    store.archive("bondi", ada)
    assert bondi.ids("/patients") == []
    assert bondi.json(f"/patients/{ada}")["archived_at"] == "2026-03-02T09:00:05Z"
    assert bondi.ids("/patients/archived") == [ada]
    assert bondi.ids("/patients?q[]=archived_at:*") == [ada]
    assert bondi.ids("/patients?q[]=archived_at:?") == [ada]
    assert bondi.ids("/patients?q[]=archived_at:!?") == []
    store.unarchive("bondi", ada)
    assert bondi.ids("/patients") == [ada]


def test_a_deleted_patient_is_only_listed_below_deleted_without_an_id(bondi, store, clock, ada):
    alert = store.add_alert("bondi", ada, "Latex")
    clock.advance(5)
    store.delete("bondi", ada)
    assert bondi.get(f"/patients/{ada}").status_code == 404
    assert bondi.get(f"/medical_alerts/{alert}").status_code == 404
    assert bondi.ids("/patients?q[]=archived_at:*") == []
    assert bondi.json("/patients/deleted")["patients"] == [
        {"deleted_at": "2026-03-02T09:00:05Z", "links": {"self": f"{HOST}/patients/{ada}"}}
    ]


def test_a_merge_archives_the_loser_and_moves_its_dependents(bondi, store, clock, ada):
    duplicate = store.add_patient("bondi", first_name="Ada", last_name="Beech")
    alert = store.add_alert("bondi", duplicate, "Latex")
    visit = store.add_appointment("bondi", duplicate, "2026-03-09T01:00:00Z")
    own_alert = store.add_alert("bondi", ada, "Pacemaker")
    clock.advance(10)
    store.merge("bondi", duplicate, ada)
    loser = bondi.json(f"/patients/{duplicate}")
    assert loser["merged_at"] == loser["archived_at"] == loser["updated_at"] == "2026-03-02T09:00:10Z"
    assert loser["merged_with_patient"] == {"links": {"self": f"{HOST}/patients/{ada}"}}
    for path in (f"/medical_alerts/{alert}", f"/individual_appointments/{visit}"):
        moved = bondi.json(path)
        assert moved["patient"]["links"]["self"] == f"{HOST}/patients/{ada}"
        assert moved["updated_at"] == "2026-03-02T09:00:10Z"
    assert bondi.json(f"/medical_alerts/{own_alert}")["updated_at"] == "2026-03-02T09:00:00Z"


@pytest.mark.parametrize("survivor", ["itself", "1"])
def test_a_merge_into_itself_or_an_unknown_patient_is_refused(bondi, store, ada, survivor):
    with pytest.raises(SandboxError):
        store.merge("bondi", ada, ada if survivor == "itself" else survivor)
    assert not bondi.json(f"/patients/{ada}")["merged_at"]


def test_cancelled_appointments_are_only_listed_on_request(bondi, store, ada):
    active, cancelled = (store.add_appointment("bondi", ada, f"2026-03-0{day}T01:00:00Z") for day in (8, 9))
    store.cancel_appointment("bondi", cancelled, "Sick")
    assert bondi.ids("/individual_appointments") == [active]
    assert sorted(bondi.ids("/individual_appointments?q[]=cancelled_at:*")) == [active, cancelled]
    assert bondi.ids("/individual_appointments?q[]=cancelled_at:?") == [cancelled]
    assert bondi.ids("/individual_appointments/cancelled") == [cancelled]
    assert bondi.json(f"/individual_appointments/{cancelled}")["cancellation_reason_description"] == "Sick"


def test_the_links_of_an_appointment_work(bondi, store, ada):
    visit = bondi.json(f"/individual_appointments/{store.add_appointment('bondi', ada, '2026-03-09T01:00:00Z')}")
    assert visit["ends_at"] == "2026-03-09T01:30:00Z"
    for name in ("patient", "practitioner", "business", "appointment_type"):
        path = visit[name]["links"]["self"].removeprefix(HOST)
        assert bondi.json(path)["id"] == path.rpartition("/")[2]


def test_a_patients_alerts_have_their_own_list(bondi, store, ada):
    other = store.add_patient("bondi", first_name="Bo")
    store.add_alert("bondi", other, "Falls")
    alert = store.add_alert("bondi", ada, "Latex")
    path = bondi.json(f"/patients/{ada}")["medical_alerts"]["links"]["self"].removeprefix(HOST)
    assert [each["id"] for each in bondi.json(path)["medical_alerts"]] == [alert]


def test_user_returns_the_owner_of_the_key(bondi, store):
    users = bondi.json("/users")["users"]
    assert bondi.json("/user")["role"] == "administrator"
    front_desk = next(each for each in users if each["role"] == "receptionist")
    key = store.issue_key("bondi", user_id=front_desk["id"])
    assert bondi.get("/user", key=key).get_json() == front_desk


def test_public_settings_have_the_clinics_name_and_terminology(bondi, harbour):
    settings = bondi.json("/settings/public")
    assert settings["account"]["name"] == "Bondi Physio"
    assert settings["account"]["time_zone"] == "Sydney"
    assert settings["terminology"] == {"patient": "patient"}
    assert harbour.json("/settings/public")["terminology"] == {"patient": "client"}


@pytest.mark.parametrize("resource", ["practitioners", "businesses", "appointment_types", "users"])
def test_reference_resources_can_be_listed_and_fetched(bondi, resource):
    listed = bondi.json(f"/{resource}")
    assert listed["total_entries"] == len(listed[resource]) > 1
    first = listed[resource][0]
    assert bondi.json(f"/{resource}/{first['id']}") == first


def test_a_record_of_another_account_is_not_found(harbour, ada):
    assert harbour.get(f"/patients/{ada}").status_code == 404
    assert harbour.ids("/patients") == []


def test_an_inactive_practitioner_is_listed_separately(bondi, store):
    inactive, *others = bondi.ids("/practitioners")
    store.edit("bondi", "practitioners", inactive, active=False)
    assert set(bondi.ids("/practitioners")) == set(others)
    assert bondi.ids("/practitioners/inactive") == [inactive]
    assert bondi.json(f"/practitioners/{inactive}")["active"] is False
