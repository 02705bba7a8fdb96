"""Classes and who attends them."""

import pytest

from sandbox.cliniko.errors import SandboxError

HOST = "http://localhost/api/au1/v1"
MONDAY = "2026-03-09T01:00:00Z"
CLASS = """id created_at updated_at starts_at ends_at max_attendees notes repeats archived_at deleted_at
appointment_type business practitioner attendees links"""
ATTENDEE = """id created_at updated_at arrived booking_ip_address cancellation_note cancellation_reason
cancellation_reason_description email_reminder_sent invoice_status notes sms_reminder_sent treatment_note_status
deleted_at cancelled_at booking patient links"""


@pytest.fixture
def ada(store):
    return store.add_patient("bondi", first_name="Ada", last_name="Beach")


@pytest.fixture
def pilates(store):
    return store.add_class("bondi", MONDAY)


@pytest.fixture
def place(store, ada, pilates):
    return store.add_attendee("bondi", pilates, ada)


def test_a_class_has_every_documented_field_and_names_its_records_by_link(bondi, pilates):
    shown = bondi.json(f"/group_appointments/{pilates}")
    assert set(shown) == set(CLASS.split())
    assert (shown["starts_at"], shown["ends_at"]) == (MONDAY, "2026-03-09T01:50:00Z")
    assert shown["links"]["self"] == f"{HOST}/group_appointments/{pilates}"
    for name in ("practitioner", "business", "appointment_type"):
        path = shown[name]["links"]["self"].removeprefix(HOST)
        assert bondi.json(path)["id"] == path.rpartition("/")[2]
    assert bondi.json(shown["appointment_type"]["links"]["self"].removeprefix(HOST))["name"] == "Pilates class"


def test_an_attendee_has_every_documented_field_and_names_class_and_patient_by_link(bondi, place, pilates, ada):
    shown = bondi.json(f"/attendees/{place}")
    assert set(shown) == set(ATTENDEE.split())
    assert shown["booking"] == {"links": {"self": f"{HOST}/bookings/{pilates}"}}
    assert shown["patient"] == {"links": {"self": f"{HOST}/patients/{ada}"}}
    assert shown["arrived"] is None


def test_a_class_leads_to_its_own_attendees(bondi, store, place, pilates, ada):
    store.add_attendee("bondi", store.add_class("bondi", MONDAY), ada)
    path = bondi.json(f"/group_appointments/{pilates}")["attendees"]["links"]["self"].removeprefix(HOST)
    assert [each["id"] for each in bondi.json(path)["attendees"]] == [place]
    assert bondi.get("/group_appointments/1/attendees").status_code == 404
    assert bondi.get(f"/group_appointments/{pilates}/patients").status_code == 404


def test_attendees_filter_by_class_and_by_patient(bondi, store, place, pilates, ada):
    bo = store.add_patient("bondi", first_name="Bo")
    other = store.add_attendee("bondi", pilates, bo)
    elsewhere = store.add_attendee("bondi", store.add_class("bondi", MONDAY), bo)
    assert sorted(bondi.ids(f"/attendees?q[]=booking_id:={pilates}")) == [place, other]
    assert bondi.ids(f"/attendees?q[]=patient_id:={bo}&q[]=booking_id:>{pilates}") == [elsewhere]
    assert bondi.get("/attendees?q[]=arrived:?").status_code == 400


def test_classes_filter_by_time_and_by_who_gives_them(bondi, store, pilates):
    later = store.add_class("bondi", "2026-05-01T00:00:00Z", practitioner="77")
    assert bondi.ids("/group_appointments?q[]=starts_at:>2026-04-01T00:00:00Z") == [later]
    assert bondi.ids("/group_appointments?q[]=practitioner_id:=77") == [later]
    assert bondi.get("/group_appointments?q[]=max_attendees:=8").status_code == 400


def test_a_cancelled_place_is_left_out_unless_asked_for(bondi, store, place):
    store.cancel_attendee("bondi", place, "Sick", note="Rang.")
    assert bondi.ids("/attendees") == []
    assert bondi.ids("/attendees?q[]=cancelled_at:*") == bondi.ids("/attendees/cancelled") == [place]
    assert bondi.json(f"/attendees/{place}")["cancellation_reason_description"] == "Sick"


def test_an_archived_class_is_left_out_unless_asked_for(bondi, store, pilates):
    store.archive("bondi", pilates, resource="group_appointments")
    assert bondi.ids("/group_appointments") == []
    assert bondi.ids("/group_appointments?q[]=archived_at:*") == bondi.ids("/group_appointments/archived") == [pilates]


def test_a_deleted_class_takes_its_attendees_along(bondi, store, place, pilates, ada):
    other = store.add_attendee("bondi", store.add_class("bondi", MONDAY), ada)
    store.delete("bondi", pilates, resource="group_appointments")
    assert bondi.get(f"/group_appointments/{pilates}").status_code == 404
    assert bondi.ids("/group_appointments/deleted") == [pilates]
    assert bondi.ids("/attendees/deleted") == [place]
    assert bondi.ids("/attendees") == [other]


def test_a_deleted_patient_leaves_every_class(bondi, store, place, pilates, ada):
    store.delete("bondi", ada)
    assert bondi.ids("/attendees/deleted") == [place]
    assert bondi.ids("/group_appointments") == [pilates]


def test_a_merge_moves_the_places_in_classes(bondi, store, clock, place, ada):
    survivor = store.add_patient("bondi", first_name="Ada", last_name="Beech")
    clock.pass_by(10)
    store.merge("bondi", ada, survivor)
    moved = bondi.json(f"/attendees/{place}")
    assert moved["patient"]["links"]["self"] == f"{HOST}/patients/{survivor}"
    assert moved["updated_at"] == "2026-03-02T09:00:10Z"


def test_classes_and_appointments_are_numbered_as_one(store, ada, pilates):
    visit = store.add_appointment("bondi", ada, MONDAY)
    assert len({visit, pilates, store.add_class("bondi", MONDAY)}) == 3


def test_an_individual_appointment_may_have_an_attendee_too(bondi, store, ada):
    visit = store.add_appointment("bondi", ada, MONDAY)
    store.add_attendee("bondi", visit, ada)
    assert bondi.json("/attendees")["attendees"][0]["booking"]["links"]["self"] == f"{HOST}/bookings/{visit}"


def test_nobody_attends_what_is_not_there(store, ada, pilates):
    with pytest.raises(SandboxError):
        store.add_attendee("bondi", "1", ada)
    with pytest.raises(SandboxError):
        store.add_attendee("bondi", pilates, "1")


def test_a_deletion_need_not_move_updated_at(bondi, store, clock, place, ada):
    clock.pass_by(60)
    store.delete("bondi", ada, touch=False)
    gone = store.record("bondi", "patients", ada, deleted=True)
    assert (gone.updated_at, gone.deleted_at) == ("2026-03-02T09:00:00Z", "2026-03-02T09:01:00Z")
    assert bondi.json("/attendees/deleted")["attendees"][0]["updated_at"] == "2026-03-02T09:00:00Z"


def test_a_patients_page_shows_the_classes(client, store, place, ada):
    assert "Pilates class" in client.get(f"/bondi/patients/{ada}").text
    store.cancel_attendee("bondi", place, "Away")
    assert "Cancelled: Away" in client.get(f"/bondi/patients/{ada}").text
