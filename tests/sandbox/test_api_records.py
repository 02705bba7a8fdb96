"""What records look like, and what happens to them."""

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


def test_ids_are_nineteen_digits_of_text(bondi, ada):
    assert bondi.json(f"/patients/{ada}")["id"] == ada
    assert re.fullmatch("[0-9]{19}", ada)


def test_ids_beyond_the_reach_of_a_float_are_different_patients(bondi, store):
    for number, name in ((9007199254740992, "Even"), (9007199254740993, "Odd")):
        store.add_patient("bondi", id=number, first_name=name)
    assert bondi.json("/patients/9007199254740992")["first_name"] == "Even"
    assert bondi.json("/patients/9007199254740993")["first_name"] == "Odd"
    assert bondi.ids("/patients?q[]=id:=9007199254740993") == ["9007199254740993"]


def test_times_are_utc_to_the_second(bondi, ada):
    assert bondi.json(f"/patients/{ada}")["updated_at"] == "2026-03-02T09:00:00Z"


@pytest.mark.parametrize(
    "id", ["1", "0", "-1", "99999999999999999999999", "abc", "1713650742029190001.0", "%D9%A4%D9%A2"]
)
def test_an_unknown_record_is_not_found(bondi, id):
    missing = bondi.get(f"/patients/{id}")
    assert missing.status_code == 404
    assert "could not be found" in missing.get_json()["message"]


def test_links_follow_the_host_that_was_asked(bondi, ada):
    patient = bondi.get(f"/patients/{ada}", Host="cliniko.localhost:8100").get_json()
    assert patient["links"]["self"] == f"http://cliniko.localhost:8100/api/au1/v1/patients/{ada}"


def test_an_edit_moves_updated_at_and_nothing_else(bondi, store, clock, ada):
    before = bondi.json(f"/patients/{ada}")
    clock.pass_by(61)
    store.edit("bondi", "patients", ada, last_name="Beach-Ó Dálaigh")
    after = bondi.json(f"/patients/{ada}")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"last_name", "label", "updated_at"}
    assert after["updated_at"] == "2026-03-02T09:01:01Z"


def test_an_archived_patient_leaves_the_list_and_stays_readable(bondi, store, clock, ada):
    clock.pass_by(5)
    store.archive("bondi", ada)
    assert bondi.ids("/patients") == []
    assert bondi.json(f"/patients/{ada}")["archived_at"] == "2026-03-02T09:00:05Z"
    assert bondi.ids("/patients/archived") == [ada]
    assert bondi.ids("/patients?q[]=archived_at:*") == [ada]
    assert bondi.ids("/patients?q[]=archived_at:?") == [ada]
    assert bondi.ids("/patients?q[]=archived_at:!?") == []
    store.unarchive("bondi", ada)
    assert bondi.ids("/patients") == [ada]


def test_a_deleted_patient_is_gone_and_leaves_a_tombstone_without_an_id(bondi, store, clock, ada):
    alert = store.add_alert("bondi", ada, "Latex")
    clock.pass_by(5)
    store.delete("bondi", ada)
    assert bondi.get(f"/patients/{ada}").status_code == 404
    assert bondi.get(f"/medical_alerts/{alert}").status_code == 404
    assert bondi.ids("/patients?q[]=archived_at:*") == []
    assert bondi.json("/patients/deleted")["patients"] == [
        {"deleted_at": "2026-03-02T09:00:05Z", "links": {"self": f"{HOST}/patients/{ada}"}}
    ]


def test_a_merge_archives_the_loser_and_moves_what_hung_on_it(bondi, store, clock, ada):
    twin = store.add_patient("bondi", first_name="Ada", last_name="Beech")
    alert = store.add_alert("bondi", twin, "Latex")
    visit = store.add_appointment("bondi", twin, "2026-03-09T01:00:00Z")
    kept = store.add_alert("bondi", ada, "Pacemaker")
    clock.pass_by(10)
    store.merge("bondi", twin, ada)
    loser = bondi.json(f"/patients/{twin}")
    assert loser["merged_at"] == loser["archived_at"] == loser["updated_at"] == "2026-03-02T09:00:10Z"
    assert loser["merged_with_patient"] == {"links": {"self": f"{HOST}/patients/{ada}"}}
    for path in (f"/medical_alerts/{alert}", f"/individual_appointments/{visit}"):
        moved = bondi.json(path)
        assert moved["patient"]["links"]["self"] == f"{HOST}/patients/{ada}"
        assert moved["updated_at"] == "2026-03-02T09:00:10Z"
    assert bondi.json(f"/medical_alerts/{kept}")["updated_at"] == "2026-03-02T09:00:00Z"


@pytest.mark.parametrize("survivor", ["itself", "1"])
def test_a_merge_into_nobody_changes_nothing(bondi, store, ada, survivor):
    with pytest.raises(SandboxError):
        store.merge("bondi", ada, ada if survivor == "itself" else survivor)
    assert not bondi.json(f"/patients/{ada}")["merged_at"]


def test_cancelled_appointments_are_left_out_unless_asked_for(bondi, store, ada):
    kept, off = (store.add_appointment("bondi", ada, f"2026-03-0{day}T01:00:00Z") for day in (8, 9))
    store.cancel_appointment("bondi", off, "Sick")
    assert bondi.ids("/individual_appointments") == [kept]
    assert sorted(bondi.ids("/individual_appointments?q[]=cancelled_at:*")) == [kept, off]
    assert bondi.ids("/individual_appointments?q[]=cancelled_at:?") == [off]
    assert bondi.ids("/individual_appointments/cancelled") == [off]
    assert bondi.json(f"/individual_appointments/{off}")["cancellation_reason_description"] == "Sick"


def test_an_appointment_names_its_records_by_link_and_they_exist(bondi, store, ada):
    visit = bondi.json(f"/individual_appointments/{store.add_appointment('bondi', ada, '2026-03-09T01:00:00Z')}")
    assert visit["ends_at"] == "2026-03-09T01:30:00Z"
    for name in ("patient", "practitioner", "business", "appointment_type"):
        path = visit[name]["links"]["self"].removeprefix(HOST)
        assert bondi.json(path)["id"] == path.rpartition("/")[2]


def test_the_alerts_of_one_patient_have_an_address(bondi, store, ada):
    other = store.add_patient("bondi", first_name="Bo")
    store.add_alert("bondi", other, "Falls")
    alert = store.add_alert("bondi", ada, "Latex")
    path = bondi.json(f"/patients/{ada}")["medical_alerts"]["links"]["self"].removeprefix(HOST)
    assert [each["id"] for each in bondi.json(path)["medical_alerts"]] == [alert]


def test_the_user_is_the_one_who_made_the_key(bondi, store):
    users = bondi.json("/users")["users"]
    assert bondi.json("/user")["role"] == "administrator"
    front_desk = next(each for each in users if each["role"] == "receptionist")
    key = store.issue_key("bondi", user_id=front_desk["id"])
    assert bondi.get("/user", key=key).get_json() == front_desk


def test_public_settings_tell_the_clinics_words(bondi, harbour):
    settings = bondi.json("/settings/public")
    assert settings["account"]["name"] == "Bondi Physio"
    assert settings["account"]["time_zone"] == "Sydney"
    assert settings["terminology"] == {"patient": "patient"}
    assert harbour.json("/settings/public")["terminology"] == {"patient": "client"}


@pytest.mark.parametrize("resource", ["practitioners", "businesses", "appointment_types", "users"])
def test_every_small_resource_lists_and_shows(bondi, resource):
    listed = bondi.json(f"/{resource}")
    assert listed["total_entries"] == len(listed[resource]) > 1
    first = listed[resource][0]
    assert bondi.json(f"/{resource}/{first['id']}") == first


def test_a_record_of_one_account_cannot_be_reached_from_the_other(harbour, ada):
    assert harbour.get(f"/patients/{ada}").status_code == 404
    assert harbour.ids("/patients") == []


def test_a_practitioner_who_left_is_listed_apart(bondi, store):
    gone, *others = bondi.ids("/practitioners")
    store.edit("bondi", "practitioners", gone, active=False)
    assert set(bondi.ids("/practitioners")) == set(others)
    assert bondi.ids("/practitioners/inactive") == [gone]
    assert bondi.json(f"/practitioners/{gone}")["active"] is False
