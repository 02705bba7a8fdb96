"""Classes and their attendees."""

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
def attendee(store, ada, pilates):
    return store.add_attendee("bondi", pilates, ada)


def test_a_class_has_every_documented_field_and_working_links(bondi, pilates):
    body = bondi.json(f"/group_appointments/{pilates}")
    assert set(body) == set(CLASS.split())
    assert (body["starts_at"], body["ends_at"]) == (MONDAY, "2026-03-09T01:50:00Z")
    assert body["links"]["self"] == f"{HOST}/group_appointments/{pilates}"
    for name in ("practitioner", "business", "appointment_type"):
        path = body[name]["links"]["self"].removeprefix(HOST)
        assert bondi.json(path)["id"] == path.rpartition("/")[2]
    assert bondi.json(body["appointment_type"]["links"]["self"].removeprefix(HOST))["name"] == "Pilates class"


def test_an_attendee_has_every_documented_field_and_links(bondi, attendee, pilates, ada):
    body = bondi.json(f"/attendees/{attendee}")
    assert set(body) == set(ATTENDEE.split())
    assert body["booking"] == {"links": {"self": f"{HOST}/bookings/{pilates}"}}
    assert body["patient"] == {"links": {"self": f"{HOST}/patients/{ada}"}}
    assert body["arrived"] is None


def test_a_class_links_to_its_attendees(bondi, store, attendee, pilates, ada):
    store.add_attendee("bondi", store.add_class("bondi", MONDAY), ada)
    path = bondi.json(f"/group_appointments/{pilates}")["attendees"]["links"]["self"].removeprefix(HOST)
    assert [each["id"] for each in bondi.json(path)["attendees"]] == [attendee]
    assert bondi.get("/group_appointments/1/attendees").status_code == 404
    assert bondi.get(f"/group_appointments/{pilates}/patients").status_code == 404


def test_attendees_filter_by_class_and_by_patient(bondi, store, attendee, pilates, ada):
    bo = store.add_patient("bondi", first_name="Bo")
    other = store.add_attendee("bondi", pilates, bo)
    elsewhere = store.add_attendee("bondi", store.add_class("bondi", MONDAY), bo)
    assert sorted(bondi.ids(f"/attendees?q[]=booking_id:={pilates}")) == [attendee, other]
    assert bondi.ids(f"/attendees?q[]=patient_id:={bo}&q[]=booking_id:>{pilates}") == [elsewhere]
    assert bondi.get("/attendees?q[]=arrived:?").status_code == 400


def test_classes_filter_by_time_and_practitioner(bondi, store, pilates):
    later = store.add_class("bondi", "2026-05-01T00:00:00Z", practitioner="77")
    assert bondi.ids("/group_appointments?q[]=starts_at:>2026-04-01T00:00:00Z") == [later]
    assert bondi.ids("/group_appointments?q[]=practitioner_id:=77") == [later]
    assert bondi.get("/group_appointments?q[]=max_attendees:=8").status_code == 400


def test_a_cancelled_attendee_is_only_listed_on_request(bondi, store, attendee):
    store.cancel_attendee("bondi", attendee, "Sick", note="Rang.")
    assert bondi.ids("/attendees") == []
    assert bondi.ids("/attendees?q[]=cancelled_at:*") == bondi.ids("/attendees/cancelled") == [attendee]
    assert bondi.json(f"/attendees/{attendee}")["cancellation_reason_description"] == "Sick"


def test_an_archived_class_is_only_listed_on_request(bondi, store, pilates):
    store.archive("bondi", pilates, resource="group_appointments")
    assert bondi.ids("/group_appointments") == []
    assert bondi.ids("/group_appointments?q[]=archived_at:*") == bondi.ids("/group_appointments/archived") == [pilates]


def test_deleting_a_class_deletes_its_attendees(bondi, store, attendee, pilates, ada):
    other = store.add_attendee("bondi", store.add_class("bondi", MONDAY), ada)
    store.delete("bondi", pilates, resource="group_appointments")
    assert bondi.get(f"/group_appointments/{pilates}").status_code == 404
    assert bondi.ids("/group_appointments/deleted") == [pilates]
    assert bondi.ids("/attendees/deleted") == [attendee]
    assert bondi.ids("/attendees") == [other]


def test_deleting_a_patient_deletes_their_attendees(bondi, store, attendee, pilates, ada):
    store.delete("bondi", ada)
    assert bondi.ids("/attendees/deleted") == [attendee]
    assert bondi.ids("/group_appointments") == [pilates]


def test_a_merge_moves_attendees(bondi, store, clock, attendee, ada):
    survivor = store.add_patient("bondi", first_name="Ada", last_name="Beech")
    clock.advance(10)
    store.merge("bondi", ada, survivor)
    moved = bondi.json(f"/attendees/{attendee}")
    assert moved["patient"]["links"]["self"] == f"{HOST}/patients/{survivor}"
    assert moved["updated_at"] == "2026-03-02T09:00:10Z"


def test_classes_and_appointments_share_one_id_sequence(store, ada, pilates):
    visit = store.add_appointment("bondi", ada, MONDAY)
    assert len({visit, pilates, store.add_class("bondi", MONDAY)}) == 3


def test_an_individual_appointment_can_have_an_attendee(bondi, store, ada):
    visit = store.add_appointment("bondi", ada, MONDAY)
    store.add_attendee("bondi", visit, ada)
    assert bondi.json("/attendees")["attendees"][0]["booking"]["links"]["self"] == f"{HOST}/bookings/{visit}"


def test_an_attendee_needs_an_existing_booking_and_patient(store, ada, pilates):
    with pytest.raises(SandboxError):
        store.add_attendee("bondi", "1", ada)
    with pytest.raises(SandboxError):
        store.add_attendee("bondi", pilates, "1")


def test_a_deletion_can_leave_updated_at_unchanged(bondi, store, clock, attendee, ada):
    clock.advance(60)
    store.delete("bondi", ada, touch=False)
    deleted = store.record("bondi", "patients", ada, deleted=True)
    assert (deleted.updated_at, deleted.deleted_at) == ("2026-03-02T09:00:00Z", "2026-03-02T09:01:00Z")
    assert bondi.json("/attendees/deleted")["attendees"][0]["updated_at"] == "2026-03-02T09:00:00Z"


def test_a_patients_page_shows_classes(client, store, attendee, ada):
    assert "Pilates class" in client.get(f"/bondi/patients/{ada}").text
    store.cancel_attendee("bondi", attendee, "Away")
    assert "Cancelled: Away" in client.get(f"/bondi/patients/{ada}").text
