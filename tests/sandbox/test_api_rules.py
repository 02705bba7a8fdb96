"""Authentication, required headers, the rate limit and the request log."""

from sandbox.cliniko.app import create_app


def test_a_key_only_gives_access_to_its_own_account(bondi, harbour, store):
    store.add_patient("bondi", id=42, first_name="Ada", last_name="Beach")
    store.add_patient("harbour", id=42, first_name="Ngaio", last_name="Wharf")
    assert bondi.json("/patients/42")["last_name"] == "Beach"
    assert harbour.json("/patients/42")["last_name"] == "Wharf"


def test_a_key_works_with_and_without_its_shard(bondi):
    assert bondi.get("/user", key=bondi.key).status_code == 200
    assert bondi.get("/user", key=bondi.key.removesuffix("-au1")).status_code == 200


def test_the_body_of_a_key_can_contain_dashes(bondi):
    assert bondi.key.removesuffix("-au1").count("-") >= 1


def test_a_wrong_key_gets_401(bondi):
    for key in (bondi.key[:-5] + "x-au1", "", "nobody-au1"):
        response = bondi.get("/patients", key=key)
        assert response.status_code == 401, key
        assert response.get_json() == {"message": "HTTP Basic: Access denied."}
        assert response.headers["WWW-Authenticate"].startswith("Basic")


def test_a_key_of_another_shard_gets_401(bondi, harbour):
    assert harbour.get("/user", key=bondi.key).status_code == 401
    assert harbour.get("/user", key=bondi.key.removesuffix("-au1")).status_code == 401


def test_a_request_without_a_key_gets_401(client):
    assert client.get("/api/au1/v1/patients").status_code == 401


def test_a_key_with_a_password_gets_401(client, bondi):
    assert client.get("/api/au1/v1/user", auth=(bondi.key, "secret")).status_code == 401


def test_a_revoked_key_gets_401_and_a_new_one_works(bondi, store):
    store.revoke_key(bondi.key)
    assert bondi.get("/user").status_code == 401
    new_key = store.issue_key("bondi")
    assert bondi.get("/user", key=new_key).status_code == 200
    assert store.key("bondi") == new_key != bondi.key


def test_a_user_agent_without_name_and_email_is_blocked(bondi):
    for agent in ("", "python-requests/2.32", "Sidechart", "Sidechart (no address)", "(a@b.example)"):
        response = bondi.get("/user", User_Agent=agent)
        assert response.status_code == 403, agent
        assert "blocked" in response.get_json()["message"]


def test_the_caller_must_accept_json(bondi):
    for accept, status in (("application/json", 200), ("*/*", 200), ("text/html", 406)):
        assert bondi.get("/user", Accept=accept).status_code == status, accept


def test_a_forbidden_resource_gets_403_and_others_work(bondi, store):
    store.forbid(bondi.key, "individual_appointments")
    assert bondi.get("/individual_appointments").status_code == 403
    assert bondi.get("/individual_appointments/1").status_code == 403
    assert bondi.get("/patients").status_code == 200
    store.forbid(bondi.key)
    assert bondi.get("/individual_appointments").status_code == 200


def test_requests_over_the_limit_get_429_until_the_reset(store, clock, client, bondi):
    app = create_app(store, requests_per_minute=3)
    bondi.client = app.test_client()
    assert [bondi.get("/user").status_code for _ in range(4)] == [200, 200, 200, 429]
    response = bondi.get("/user")
    reset = int(response.headers["X-RateLimit-Reset"])
    assert reset == int(clock().timestamp()) + 60
    assert response.headers["Retry-After"] == "60"
    clock.advance(59)
    assert bondi.get("/user").status_code == 429
    clock.advance(1)
    assert bondi.get("/user").status_code == 200


def test_the_rate_limit_of_one_account_does_not_affect_another(store, bondi, harbour):
    store.set_requests_per_minute("bondi", 0)
    assert bondi.get("/user").status_code == 429
    assert harbour.get("/user").status_code == 200
    store.set_requests_per_minute("bondi", None)
    assert bondi.get("/user").status_code == 200


def test_requests_are_logged_per_account(bondi, harbour, store):
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


def test_page_views_are_not_logged_as_api_requests(client, store):
    client.get("/bondi/patients")
    assert store.count_requests() == 0


def test_responses_have_the_sandboxs_date(bondi):
    assert bondi.get("/user").headers["Date"] == "Mon, 02 Mar 2026 09:00:00 GMT"


def test_unknown_paths_and_methods_get_json_errors(bondi, client):
    response = bondi.get("/nowhere/at/all")
    assert response.status_code == 404
    assert response.is_json
    posted = client.post("/api/au1/v1/patients")
    assert posted.status_code == 405
    assert posted.is_json
