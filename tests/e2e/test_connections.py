"""Connections through Airflow's REST API and UI: saved, masked, tested."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import expect
from unit.scripted_server import Response, page_of, ratings, serve

PASSWORD, TOKEN = "hunter2-password", "hunter2-token"


@pytest.fixture
def airflow(running_stack, admin_token):
    """Call the REST API as an administrator."""
    session = requests.Session()
    session.trust_env = False
    address = running_stack.airflow.address
    session.headers["Authorization"] = f"Bearer {admin_token}"

    def call(method, path, **arguments):
        response = session.request(method, f"{address}/api/v2/connections{path}", timeout=60, **arguments)
        assert response.ok, response.text
        return response.json()

    return call


@pytest.fixture
def ratings_api():
    """An API that requires the token; it records its requests."""

    def response(_path, query, number):
        sent = server.requests[number][2].get("Authorization")
        return page_of(ratings(7), query) if sent == f"Bearer {TOKEN}" else Response({}, 401)

    with serve(response) as server:
        yield server


def body(conn_id, address, **changes):
    host, port = urlsplit(address).hostname, urlsplit(address).port
    parts = {"connection_id": conn_id, "conn_type": "movielens", "host": host, "port": port, "schema": "http"}
    return parts | changes


def test_a_saved_connection_masks_its_secrets_and_keeps_them(airflow, ratings_api):
    extra = {"page_size": 500, "verify_tls": False, "api_token": TOKEN}
    parts = body("saved", ratings_api.base_url, login="me", password=PASSWORD, extra=json.dumps(extra))
    responses = [airflow("POST", "", json=parts), airflow("GET", "/saved"), airflow("GET", "")]
    assert PASSWORD not in str(responses)
    assert TOKEN not in str(responses)
    shown = {name: responses[1][name] for name in parts}
    assert shown["password"] == "***"
    assert json.loads(shown["extra"]) == extra | {"api_token": "***"}

    # Save the shown values again, as the form does.
    changed = shown | {"extra": json.dumps(json.loads(shown["extra"]) | {"page_size": 400})}
    assert json.loads(airflow("PATCH", "/saved", json=changed)["extra"])["page_size"] == 400
    assert airflow("POST", "/test", json=changed) == {
        "status": True,
        "message": f"Connected to {ratings_api.base_url}: it holds 7 ratings.",
    }


def test_the_test_button_reports_success(airflow, running_stack):
    user, password = running_stack.api_login
    total = requests.get(f"{running_stack.api_address}/ratings?limit=1", auth=(user, password), timeout=30).json()[
        "total"
    ]
    tried = airflow("POST", "/test", json=body("new", running_stack.api_address, login=user, password=password))
    assert tried == {
        "status": True,
        "message": f"Connected to {running_stack.api_address}: it holds {total:,} ratings.",
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "the API refuses the credentials: check user and password (or token)"),
        ({"port": 9}, "Cannot reach a ratings API with this host, port and schema (http or https): no connection"),
        ({"schema": "https"}, "the API does not speak TLS at this address: check host and port"),
        ({"schema": "v1"}, "schema is 'v1': give http or https"),
        ({"extra": '{"page_size": "many"}'}, "page_size is 'many': give a whole number of at least 1"),
    ],
)
def test_the_test_button_reports_the_cause_of_a_failure(airflow, running_stack, changes, said):
    parts = body("new", running_stack.api_address, login="me", password=PASSWORD)
    tried = airflow("POST", "/test", json=parts | changes)
    assert not tried["status"]
    assert tried["message"].startswith(said)
    assert PASSWORD not in tried["message"]


def run_on_worker(running_stack, airflow, parts):
    ticket = {"Airflow-Connection-Test-Token": airflow("POST", "/enqueue-test", json=parts)["token"]}

    def ask():
        return airflow("GET", "/enqueue-test", headers=ticket)

    running_stack.until("the worker's test", lambda: ask()["state"] in {"success", "failed"})
    return ask()


@pytest.mark.parametrize(("token", "state"), [(TOKEN, "success"), ("hunter3-token", "failed")])
def test_a_worker_can_run_the_test(airflow, running_stack, ratings_api, token, state):
    parts = body(f"on_a_worker_{state}", ratings_api.base_url, extra=json.dumps({"api_token": token}))
    ended = run_on_worker(running_stack, airflow, parts)
    # A worker may read a test's connection once. On a slow machine its client times out, retries, and is refused.
    while ended["result_message"] == "Connection test failed unexpectedly: ServerResponseError":
        ended = run_on_worker(running_stack, airflow, parts)
    assert ended["state"] == state, ended
    said = {"success": "it holds 7 ratings.", "failed": "the API refuses the credentials"}[state]
    assert said in ended["result_message"]


@pytest.fixture
def page(visit):
    """Open the connections in Airflow's UI."""
    visit.page.goto("/connections")
    return visit.page


def test_the_form_saves_a_connection_and_the_test_button_tests_it(page, airflow, ratings_api):
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.locator("input[name=connection_id]").fill("from_the_form")
    form.get_by_role("combobox").click()
    page.get_by_role("option", name="MovieLens ratings API").click()
    expect(form.get_by_text("API password")).to_be_visible()
    expect(form.locator("input[name=port]")).to_have_attribute("placeholder", "5000")
    form.locator("input[name=host]").fill("127.0.0.1")
    # Without a port, the UI would test port 0, which Airflow refuses because it differs from the saved one.
    form.locator("input[name=port]").fill(ratings_api.base_url.rpartition(":")[2])
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    form.locator("input[name=element_concurrency]").fill("8")
    token = form.locator("input[name=element_api_token]")
    expect(token).to_have_attribute("type", "password")
    token.fill(TOKEN)
    form.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="from_the_form")
    row.get_by_role("button", name="Test Connection").click()
    expect(page.get_by_text(f"Connected to {ratings_api.base_url}: it holds 7 ratings.")).to_be_visible()
    saved = json.loads(airflow("GET", "/from_the_form")["extra"])
    assert (saved["concurrency"], saved["read_timeout"], saved["api_token"]) == (8, 60, "***")
    assert saved.get("page_size") is None, "a field without a default stays empty"
