"""What staff click: the settings, the list, a patient, and every way to change one."""

import re
from html import unescape

import pytest

URL = "http://bondi.localhost:8000/patients"


@pytest.fixture
def ada(store):
    return store.add_patient("bondi", first_name="Ada", last_name="Beach", date_of_birth="1980-05-26")


@pytest.fixture
def look(client):
    """Open a page as staff and read its source."""

    def look(path: str, status: int = 200) -> str:
        response = client.get(path)
        assert response.status_code == status, response.text
        return unescape(response.text)

    return look


@pytest.fixture
def submit(client):
    """Send a form and answer the page that follows."""

    def submit(path: str, status: int = 200, **form: object) -> str:
        response = client.post(path, data=form, follow_redirects=True)
        assert response.status_code == status, response.text
        return unescape(response.text)

    return submit


def connect(submit, *apps, status=200, **more):
    names, urls = [name for name, _ in apps], [url for _, url in apps]
    return submit("/bondi/settings/integrations", status, app_name=names, app_url=urls, **more)


def heading(page):
    (inside,) = re.findall("<h1>(.*?)</h1>", page, re.DOTALL)
    return re.sub("<[^>]+>", "", inside).split("\n")[0].strip()


def test_the_first_page_leads_to_every_account(look):
    page = look("/")
    assert 'href="/bondi/patients"' in page
    assert 'href="/harbour/patients"' in page


@pytest.mark.parametrize("path", ["/", "/bondi/patients", "/bondi/settings/integrations", "/nobody/patients"])
def test_every_page_says_that_it_is_the_sandbox(client, path):
    assert "Cliniko sandbox" in client.get(path).text


def test_a_clinic_that_says_client_reads_client(look):
    assert heading(look("/harbour/patients")) == "Clients"


def test_the_pages_answer_at_a_name_of_their_own(client):
    assert client.get("/bondi/patients", headers={"Host": "cliniko.localhost:8100"}).status_code == 200


def test_a_connected_app_appears_under_open_in_with_the_patients_id(submit, look, ada):
    assert "Open in" not in look(f"/bondi/patients/{ada}")
    page = connect(submit, ("Sidechart", URL), ("Second", "http://second.localhost:8000/patients"), ("", ""))
    assert "Connected patient apps saved" in page
    page = look(f"/bondi/patients/{ada}")
    assert re.search(r'<summary role="button"[^>]*>Open in</summary>', page)
    link = f'<a target="_blank" rel="noopener" href="{URL}?patient_id={ada}">Sidechart</a>'
    assert link in page
    assert page.index(link) < page.index(">Second</a>")


def test_one_clinics_apps_are_not_the_others(submit, look, store):
    connect(submit, ("Sidechart", URL))
    id = store.add_patient("harbour", first_name="Ngaio")
    assert "Open in" not in look(f"/harbour/patients/{id}")


def test_a_url_that_is_not_covered_is_refused_and_nothing_is_saved(submit, store):
    page = connect(submit, ("Sidechart", URL), ("Evil", "https://evil.example/patients"), status=400)
    assert "This URL is not trusted" in page
    assert 'value="https://evil.example/patients"' in page
    assert store.apps("bondi") == []


def test_an_app_needs_a_name(submit, store):
    assert "App name can't be blank" in connect(submit, ("", URL), status=400)
    assert store.apps("bondi") == []


def test_adding_another_app_offers_a_row_and_saves_nothing(submit, store):
    page = connect(submit, ("Sidechart", URL), add="1")
    assert page.count('name="app_url"') == 3
    assert f'value="{URL}"' in page
    assert store.apps("bondi") == []


def test_an_emptied_row_takes_the_app_away(submit, store):
    connect(submit, ("Sidechart", URL), ("Second", URL))
    connect(submit, ("", ""), ("Second", URL))
    assert [app.name for app in store.apps("bondi")] == ["Second"]


def test_the_settings_show_the_key_and_can_replace_it(look, submit, store, bondi):
    assert bondi.key in look("/bondi/settings/integrations")
    page = submit("/bondi/settings/integrations/key")
    assert bondi.key not in page
    assert store.key("bondi") in page
    assert bondi.get("/user").status_code == 401


@pytest.mark.parametrize("text", ["beach", "ada be", "BEACH Ada", "ünsal", "Unsal", "山﨑", "{id}"])
def test_search_finds_by_any_part_whatever_the_accents(look, store, ada, text):
    store.add_patient("bondi", first_name="Cem", last_name="Ünsal")
    store.add_patient("bondi", first_name="さくら", last_name="山﨑")
    page = look(f"/bondi/patients?search={text.format(id=ada)}")
    assert "1 patient, page 1 of 1" in page


def test_search_leaves_archived_patients_out_unless_told(look, store, ada):
    store.archive("bondi", ada)
    assert "Nobody matches" in look("/bondi/patients?search=beach")
    assert "Archived" in look("/bondi/patients?search=beach&archived=1")


def test_the_list_has_pages(look, store):
    for number in range(31):
        store.add_patient("bondi", first_name="Pat", last_name=f"{number:02}")
    assert 'rel="next"' in look("/bondi/patients")
    assert "Pat 30" in look("/bondi/patients?page=2")


def test_a_new_patient_appears_in_the_api(submit, bondi):
    page = submit("/bondi/patients", first_name="Niamh", last_name="Ó Dálaigh")
    assert heading(page) == "Niamh Ó Dálaigh"
    assert bondi.json("/patients")["patients"][0]["last_name"] == "Ó Dálaigh"


def test_an_edit_appears_in_the_api(submit, bondi, ada, clock):
    clock.pass_by(30)
    page = submit(
        f"/bondi/patients/{ada}/edit",
        first_name="Adaeze",
        last_name="Beach",
        date_of_birth="1981-06-27",
        email="ada@example.com",
        notes="Ring\ntwice",
        phone_type=["Mobile", "Home", "Mobile"],
        number=["0491 570 006", "02 5550 0001", ""],
    )
    assert heading(page) == "Adaeze Beach"
    patient = bondi.json(f"/patients/{ada}")
    assert patient["date_of_birth"] == "1981-06-27"
    assert [phone["number"] for phone in patient["patient_phone_numbers"]] == ["0491 570 006", "02 5550 0001"]
    assert patient["updated_at"] == "2026-03-02T09:00:30Z"


def test_a_birth_date_that_is_no_date_changes_nothing(submit, bondi, ada):
    assert "birth date" in submit(f"/bondi/patients/{ada}/edit", 400, date_of_birth="31.2.1980", first_name="X")
    assert bondi.json(f"/patients/{ada}")["first_name"] == "Ada"


def test_staff_archive_and_unarchive(submit, bondi, ada):
    submit(f"/bondi/patients/{ada}/archive")
    assert bondi.json(f"/patients/{ada}")["archived_at"]
    submit(f"/bondi/patients/{ada}/unarchive")
    assert not bondi.json(f"/patients/{ada}")["archived_at"]


def test_staff_merge_and_the_loser_points_at_the_survivor(submit, look, store, ada):
    twin = store.add_patient("bondi", first_name="Ada", last_name="Beech")
    assert heading(submit(f"/bondi/patients/{twin}/merge", survivor=ada)) == "Ada Beach"
    assert f'Merged into <a href="/bondi/patients/{ada}"' in look(f"/bondi/patients/{twin}")
    submit(f"/bondi/patients/{ada}/merge", 400, survivor=ada)
    submit(f"/bondi/patients/{ada}/merge", 404, survivor="12")


def test_staff_delete(submit, look, ada):
    assert heading(submit(f"/bondi/patients/{ada}/delete")) == "Patients"
    look(f"/bondi/patients/{ada}", 404)


def test_alerts_are_added_shown_inert_and_removed(client, submit, bondi, ada):
    submit(f"/bondi/patients/{ada}/alerts", name="<script>alert(1)</script>")
    source = client.get(f"/bondi/patients/{ada}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in source
    assert "<script" not in source
    (alert,) = bondi.ids("/medical_alerts")
    submit(f"/bondi/patients/{ada}/alerts/{alert}/delete")
    assert bondi.ids("/medical_alerts") == []


def test_an_appointment_is_booked_by_the_clinics_clock_and_cancelled(submit, bondi, ada):
    page = submit(f"/bondi/patients/{ada}/appointments", starts_at="2026-03-05T09:15")
    assert "Thu 5 Mar 2026, 9:15 am" in page
    (visit,) = bondi.json("/individual_appointments")["individual_appointments"]
    assert visit["starts_at"] == "2026-03-04T22:15:00Z"
    assert "Cancelled" in submit(f"/bondi/patients/{ada}/appointments/{visit['id']}/cancel", reason="Sick")
    assert bondi.ids("/individual_appointments") == []
    submit(f"/bondi/patients/{ada}/appointments", 400, starts_at="soon")


def test_what_hangs_on_one_patient_cannot_be_removed_through_another(submit, store, bondi, ada):
    alert = store.add_alert("bondi", ada, "Latex")
    other = store.add_patient("bondi", first_name="Bo")
    submit(f"/bondi/patients/{other}/alerts/{alert}/delete", 400)
    assert bondi.ids("/medical_alerts") == [alert]


@pytest.mark.parametrize("path", ["/nobody/patients", "/bondi/patients/1", "/bondi/patients/x/edit", "/bondi/nowhere"])
def test_what_is_not_there_has_a_page_that_says_so(client, path):
    missing = client.get(path)
    assert missing.status_code == 404
    assert "<h1>Not Found</h1>" in missing.text


def test_a_page_of_one_clinic_shows_nothing_of_the_other(client, store):
    for account, name in (("bondi", "Beach"), ("harbour", "Wharf")):
        store.add_patient(account, id=42, first_name="Pat", last_name=name)
    page = client.get("/harbour/patients/42").text
    assert "Wharf" in page
    assert "Beach" not in page
