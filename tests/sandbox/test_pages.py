"""The pages: settings, patient list, a patient, and every form that changes one."""

import re
from html import unescape

import pytest

URL = "http://bondi.localhost:8000/patients"


@pytest.fixture
def ada(store):
    return store.add_patient("bondi", first_name="Ada", last_name="Beach", date_of_birth="1980-05-26")


@pytest.fixture
def get_page(client):
    """Return the source of a page."""

    def get_page(path: str, status: int = 200) -> str:
        response = client.get(path)
        assert response.status_code == status, response.text
        return unescape(response.text)

    return get_page


@pytest.fixture
def submit(client):
    """Submit a form and return the page it redirects to."""

    def submit(path: str, status: int = 200, **form: object) -> str:
        response = client.post(path, data=form, follow_redirects=True)
        assert response.status_code == status, response.text
        return unescape(response.text)

    return submit


def save_apps(submit, *apps, status=200, **more):
    names, urls = [name for name, _ in apps], [url for _, url in apps]
    return submit("/bondi/settings/integrations", status, app_name=names, app_url=urls, **more)


def heading(page):
    (inside,) = re.findall("<h1>(.*?)</h1>", page, re.DOTALL)
    return re.sub("<[^>]+>", "", inside).split("\n")[0].strip()


def test_the_start_page_links_to_every_account(get_page):
    page = get_page("/")
    assert 'href="/bondi/patients"' in page
    assert 'href="/harbour/patients"' in page


@pytest.mark.parametrize("path", ["/", "/bondi/patients", "/bondi/settings/integrations", "/nobody/patients"])
def test_every_page_names_the_sandbox(client, path):
    assert "Cliniko sandbox" in client.get(path).text


def test_pages_use_the_clinics_terminology(get_page):
    assert heading(get_page("/harbour/patients")) == "Clients"


def test_pages_work_on_any_host_name(client):
    assert client.get("/bondi/patients", headers={"Host": "cliniko.localhost:8100"}).status_code == 200


def test_open_in_lists_connected_apps_with_the_patient_id(submit, get_page, ada):
    assert "Open in" not in get_page(f"/bondi/patients/{ada}")
    page = save_apps(submit, ("Sidechart", URL), ("Second", "http://second.localhost:8000/patients"), ("", ""))
    assert "Connected patient apps saved" in page
    page = get_page(f"/bondi/patients/{ada}")
    assert re.search(r'<summary role="button"[^>]*>Open in</summary>', page)
    link = f'<a target="_blank" rel="noopener" href="{URL}?patient_id={ada}">Sidechart</a>'
    assert link in page
    assert page.index(link) < page.index(">Second</a>")


def test_connected_apps_belong_to_one_account(submit, get_page, store):
    save_apps(submit, ("Sidechart", URL))
    id = store.add_patient("harbour", first_name="Ngaio")
    assert "Open in" not in get_page(f"/harbour/patients/{id}")


def test_an_unapproved_url_is_refused_and_nothing_is_saved(submit, store):
    page = save_apps(submit, ("Sidechart", URL), ("Evil", "https://evil.example/patients"), status=400)
    assert "This URL is not trusted" in page
    assert 'value="https://evil.example/patients"' in page
    assert store.apps("bondi") == []


def test_an_app_needs_a_name(submit, store):
    assert "App name can't be blank" in save_apps(submit, ("", URL), status=400)
    assert store.apps("bondi") == []


def test_add_another_app_adds_a_row_and_saves_nothing(submit, store):
    page = save_apps(submit, ("Sidechart", URL), add="1")
    assert page.count('name="app_url"') == 3
    assert f'value="{URL}"' in page
    assert store.apps("bondi") == []


def test_clearing_a_row_removes_the_app(submit, store):
    save_apps(submit, ("Sidechart", URL), ("Second", URL))
    save_apps(submit, ("", ""), ("Second", URL))
    assert [app.name for app in store.apps("bondi")] == ["Second"]


def test_settings_show_and_replace_the_key(get_page, submit, store, bondi):
    assert bondi.key in get_page("/bondi/settings/integrations")
    page = submit("/bondi/settings/integrations/key")
    assert bondi.key not in page
    assert store.key("bondi") in page
    assert bondi.get("/user").status_code == 401


@pytest.mark.parametrize("text", ["beach", "ada be", "BEACH Ada", "ünsal", "Unsal", "山﨑", "{id}"])
def test_search_matches_parts_and_ignores_accents(get_page, store, ada, text):
    store.add_patient("bondi", first_name="Cem", last_name="Ünsal")
    store.add_patient("bondi", first_name="さくら", last_name="山﨑")
    page = get_page(f"/bondi/patients?search={text.format(id=ada)}")
    assert "1 patient, page 1 of 1" in page


def test_search_includes_archived_patients_on_request(get_page, store, ada):
    store.archive("bondi", ada)
    assert "No patients found" in get_page("/bondi/patients?search=beach")
    assert "Archived" in get_page("/bondi/patients?search=beach&archived=1")


def test_the_patient_list_is_paginated(get_page, store):
    for number in range(31):
        store.add_patient("bondi", first_name="Pat", last_name=f"{number:02}")
    assert 'rel="next"' in get_page("/bondi/patients")
    assert "Pat 30" in get_page("/bondi/patients?page=2")


def test_a_new_patient_appears_in_the_api(submit, bondi):
    page = submit("/bondi/patients", first_name="Niamh", last_name="Ó Dálaigh")
    assert heading(page) == "Niamh Ó Dálaigh"
    assert bondi.json("/patients")["patients"][0]["last_name"] == "Ó Dálaigh"


def test_an_edit_appears_in_the_api(submit, bondi, ada, clock):
    clock.advance(30)
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


def test_an_invalid_date_of_birth_changes_nothing(submit, bondi, ada):
    assert "date of birth" in submit(f"/bondi/patients/{ada}/edit", 400, date_of_birth="31.2.1980", first_name="X")
    assert bondi.json(f"/patients/{ada}")["first_name"] == "Ada"


def test_archive_and_unarchive(submit, bondi, ada):
    submit(f"/bondi/patients/{ada}/archive")
    assert bondi.json(f"/patients/{ada}")["archived_at"]
    submit(f"/bondi/patients/{ada}/unarchive")
    assert not bondi.json(f"/patients/{ada}")["archived_at"]


def test_merge_links_the_loser_to_the_survivor(submit, get_page, store, ada):
    duplicate = store.add_patient("bondi", first_name="Ada", last_name="Beech")
    assert heading(submit(f"/bondi/patients/{duplicate}/merge", survivor=ada)) == "Ada Beach"
    assert f'Merged into <a href="/bondi/patients/{ada}"' in get_page(f"/bondi/patients/{duplicate}")
    submit(f"/bondi/patients/{ada}/merge", 400, survivor=ada)
    submit(f"/bondi/patients/{ada}/merge", 404, survivor="12")


def test_delete_a_patient(submit, get_page, ada):
    assert heading(submit(f"/bondi/patients/{ada}/delete")) == "Patients"
    get_page(f"/bondi/patients/{ada}", 404)


def test_alerts_are_added_escaped_and_removed(client, submit, bondi, ada):
    submit(f"/bondi/patients/{ada}/alerts", name="<script>alert(1)</script>")
    source = client.get(f"/bondi/patients/{ada}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in source
    assert "<script" not in source
    (alert,) = bondi.ids("/medical_alerts")
    submit(f"/bondi/patients/{ada}/alerts/{alert}/delete")
    assert bondi.ids("/medical_alerts") == []


def test_an_appointment_is_booked_in_local_time_and_cancelled(submit, bondi, ada):
    page = submit(f"/bondi/patients/{ada}/appointments", starts_at="2026-03-05T09:15")
    assert "Thu 5 Mar 2026, 9:15 am" in page
    (appointment,) = bondi.json("/individual_appointments")["individual_appointments"]
    assert appointment["starts_at"] == "2026-03-04T22:15:00Z"
    assert "Cancelled" in submit(f"/bondi/patients/{ada}/appointments/{appointment['id']}/cancel", reason="Sick")
    assert bondi.ids("/individual_appointments") == []
    submit(f"/bondi/patients/{ada}/appointments", 400, starts_at="soon")


def test_an_alert_of_another_patient_cannot_be_removed(submit, store, bondi, ada):
    alert = store.add_alert("bondi", ada, "Latex")
    other = store.add_patient("bondi", first_name="Bo")
    submit(f"/bondi/patients/{other}/alerts/{alert}/delete", 400)
    assert bondi.ids("/medical_alerts") == [alert]


@pytest.mark.parametrize("path", ["/nobody/patients", "/bondi/patients/1", "/bondi/patients/x/edit", "/bondi/nowhere"])
def test_unknown_pages_are_not_found(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert "<h1>Not Found</h1>" in response.text


def test_pages_show_only_the_accounts_own_patients(client, store):
    for account, name in (("bondi", "Beach"), ("harbour", "Wharf")):
        store.add_patient(account, id=42, first_name="Pat", last_name=name)
    page = client.get("/harbour/patients/42").text
    assert "Wharf" in page
    assert "Beach" not in page
