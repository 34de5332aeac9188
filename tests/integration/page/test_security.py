"""Who may see what of the page."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from fastapi.routing import APIRoute
from integration.page.dag_rights import READABLE_FOR_ANALYST

from airflow_movielens.storage.catalogue import Record, TaskRun


@pytest.fixture(scope="session")
def routes(served):
    """Return all routes of the page."""
    return served.routes[0].app.routes


def addresses(routes):
    """Return an address of each route."""
    return ["/movielens" + re.sub(r"{\w+(:\w+)?}", "1", route.path) for route in routes]


def test_all_routes_only_read_and_are_of_the_kind_that_has_dependencies(routes):
    assert len(routes) >= 2
    assert [route for route in routes if not isinstance(route, APIRoute) or route.methods != {"GET"}] == []


def test_no_route_answers_an_anonymous_visitor(routes, anonymous):
    answers = {address: anonymous.get(address, follow_redirects=False).status_code for address in addresses(routes)}
    assert answers == dict.fromkeys(answers, 401)


def test_no_route_answers_a_user_without_rights(routes, stranger):
    answers = {address: stranger.get(address, follow_redirects=False).status_code for address in addresses(routes)}
    assert answers == dict.fromkeys(answers, 403)


def test_what_is_no_route_is_the_same_for_everyone(anonymous, page):
    for address in ("/movielens/docs", "/movielens/openapi.json", "/movielens/partitions", "/movielens/nothing/"):
        assert anonymous.get(address).status_code == page.get(address).status_code == 404


def test_nothing_can_be_sent_to_the_page(routes, page):
    answers = {address: page.post(address).status_code for address in addresses(routes)}
    assert answers == dict.fromkeys(answers, 405)


@pytest.mark.parametrize(("client", "status", "advice"), [("anonymous", 401, "Log in"), ("stranger", 403, "Ask an")])
def test_a_refusal_says_what_to_do(request, client, status, advice):
    response = request.getfixturevalue(client).get("/movielens/static/page.css")
    assert response.status_code == status
    assert f"<p>{advice}" in response.text


def test_a_forged_token_is_refused(anonymous):
    anonymous.cookies.set("_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJBRE1JTiJ9.")
    assert anonymous.get("/movielens/static/page.css").status_code in {401, 403}


def test_every_response_has_a_strict_content_security_policy(page, anonymous):
    for response in (
        page.get("/movielens/static/page.js"),
        page.get("/movielens/nothing"),
        anonymous.get("/movielens/"),
    ):
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert page.get("/movielens/nothing").headers["Cache-Control"] == "no-store"


def test_the_page_cannot_be_built_without_the_security_of_airflow():
    code = """
import asyncio, sys
sys.modules["airflow.api_fastapi.core_api.security"] = None  # an Airflow that has it elsewhere
from airflow_movielens.plugin.registration import Page
sent = []
async def send(message): sent.append(message)
scope = {"type": "http", "method": "GET", "path": "/static/page.css", "headers": [], "query_string": b""}
try:
    asyncio.run(Page()(scope, None, send))
except ImportError:
    assert sent == []
    print("closed")
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "closed"


def test_records_of_a_dag_are_for_those_who_may_read_the_dag(catalogue, auth_manager):
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.requests import Request

    from airflow_movielens.plugin.security import ReadableDags
    from airflow_movielens.plugin.source import Source

    for number, dag_id in enumerate([READABLE_FOR_ANALYST, "05_pipeline", "removed", None]):
        task = dag_id and TaskRun(dag_id, "run", "fetch", -1, 1)
        facts = {"start_date": f"2015-03-0{number + 1}", "end_date": f"2015-03-0{number + 2}"}
        catalogue.add(
            Record(
                "fetch", "2026-11-29T02:00:00Z", f"/data/{number}", succeeded=True, error=None, task=task, facts=facts
            )
        )

    def seen(username, role):
        request = Request({"type": "http", "path_params": {}, "query_string": b"", "headers": []})
        source = Source(ReadableDags(request, SimpleAuthManagerUser(username=username, role=role)))
        of_runs = [source.records_of_run(dag_id, "run").records for dag_id in (READABLE_FOR_ANALYST, "05_pipeline")]
        found = [record.task and record.task.dag_id for record in source.records("fetch").records]
        return sorted(map(str, found)), [len(records) for records in of_runs]

    assert seen("admin", "ADMIN") == (["05_pipeline", READABLE_FOR_ANALYST, "None", "removed"], [1, 1])
    assert seen("analyst", "VIEWER") == ([READABLE_FOR_ANALYST, "None"], [1, 0])
    assert seen("stranger", None) == (["None"], [0, 0])
