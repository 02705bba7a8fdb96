"""Who may ask, how they must introduce themselves, and how often."""

import pytest

from sandbox.cliniko.app import create_app


def test_a_key_opens_its_own_account_only(bondi, harbour, store):
    store.add_patient("bondi", id=42, first_name="Ada", last_name="Beach")
    store.add_patient("harbour", id=42, first_name="Ngaio", last_name="Wharf")
    assert bondi.json("/patients/42")["last_name"] == "Beach"
    assert harbour.json("/patients/42")["last_name"] == "Wharf"


def test_a_key_works_with_and_without_its_shard(bondi):
    assert bondi.get("/user", key=bondi.key).status_code == 200
    assert bondi.get("/user", key=bondi.key.removesuffix("-au1")).status_code == 200


def test_the_body_of_a_key_may_hold_dashes(bondi):
    assert bondi.key.removesuffix("-au1").count("-") >= 1


@pytest.mark.parametrize("change", [lambda key: key[:-5] + "x-au1", lambda key: "", lambda key: "nobody-au1"])
def test_a_wrong_key_is_turned_away(bondi, change):
    refused = bondi.get("/patients", key=change(bondi.key))
    assert refused.status_code == 401
    assert refused.get_json() == {"message": "HTTP Basic: Access denied."}
    assert refused.headers["WWW-Authenticate"].startswith("Basic")


def test_a_key_at_another_shard_is_turned_away(bondi, harbour):
    assert harbour.get("/user", key=bondi.key).status_code == 401
    assert harbour.get("/user", key=bondi.key.removesuffix("-au1")).status_code == 401


def test_a_request_without_a_signature_is_turned_away(client):
    assert client.get("/api/au1/v1/patients").status_code == 401


def test_a_password_beside_the_key_is_turned_away(client, bondi):
    assert client.get("/api/au1/v1/user", auth=(bondi.key, "secret")).status_code == 401


def test_a_revoked_key_is_turned_away_and_a_new_one_works(bondi, store):
    store.revoke_key(bondi.key)
    assert bondi.get("/user").status_code == 401
    fresh = store.issue_key("bondi")
    assert bondi.get("/user", key=fresh).status_code == 200
    assert store.key("bondi") == fresh != bondi.key


@pytest.mark.parametrize("agent", ["", "python-requests/2.32", "Sidechart", "Sidechart (no address)", "(a@b.example)"])
def test_a_user_agent_without_name_and_address_is_blocked(bondi, agent):
    refused = bondi.get("/user", User_Agent=agent)
    assert refused.status_code == 403
    assert "blocked" in refused.get_json()["message"]


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), ("*/*", 200), ("text/html", 406)])
def test_the_caller_must_take_json(bondi, accept, status):
    assert bondi.get("/user", Accept=accept).status_code == status


def test_a_role_that_may_not_see_a_resource_still_sees_the_others(bondi, store):
    store.forbid(bondi.key, "individual_appointments")
    assert bondi.get("/individual_appointments").status_code == 403
    assert bondi.get("/individual_appointments/1").status_code == 403
    assert bondi.get("/patients").status_code == 200
    store.forbid(bondi.key)
    assert bondi.get("/individual_appointments").status_code == 200


def test_the_request_after_the_last_of_a_minute_is_refused_until_the_reset(store, clock, client, bondi):
    app = create_app(store, requests_per_minute=3)
    bondi.client = app.test_client()
    assert [bondi.get("/user").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = bondi.get("/user")
    reset = int(refused.headers["X-RateLimit-Reset"])
    assert reset == int(clock().timestamp()) + 60
    assert refused.headers["Retry-After"] == "60"
    clock.pass_by(59)
    assert bondi.get("/user").status_code == 429
    clock.pass_by(1)
    assert bondi.get("/user").status_code == 200


def test_one_account_out_of_budget_leaves_the_other_alone(store, bondi, harbour):
    store.set_requests_per_minute("bondi", 0)
    assert bondi.get("/user").status_code == 429
    assert harbour.get("/user").status_code == 200
    store.set_requests_per_minute("bondi", None)
    assert bondi.get("/user").status_code == 200


def test_requests_are_logged_for_the_account_that_made_them(bondi, harbour, store):
    bondi.get("/patients?page=2")
    bondi.get("/nowhere")
    store.revoke_key(bondi.key)
    bondi.get("/user")
    logged = [(each.method, each.path, each.status) for each in store.requests("bondi")]
    assert logged == [
        ("GET", "/api/au1/v1/patients?page=2", 200),
        ("GET", "/api/au1/v1/nowhere", 404),
        ("GET", "/api/au1/v1/user", 401),
    ]
    assert store.count_requests("harbour") == 0


def test_looking_at_pages_is_no_request_to_the_api(client, store):
    client.get("/bondi/patients")
    assert store.count_requests() == 0


def test_every_answer_carries_the_true_date(bondi):
    assert bondi.get("/user").headers["Date"] == "Mon, 02 Mar 2026 09:00:00 GMT"


def test_an_unknown_address_is_told_in_json(bondi, client):
    missing = bondi.get("/nowhere/at/all")
    assert missing.status_code == 404
    assert missing.is_json
    posted = client.post("/api/au1/v1/patients")
    assert posted.status_code == 405
    assert posted.is_json
