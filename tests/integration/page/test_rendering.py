"""What all pages have in common."""

from __future__ import annotations

import gc

import pytest
from starlette.testclient import TestClient

from airflow_movielens.storage.catalogue import Record, TaskRun


@pytest.fixture
def request_at(served):
    """Return a function that makes a request as the page receives it, behind a path of Airflow's ``base_url``."""
    from starlette.requests import Request

    def make(path, base="/air/flow"):
        scope = {"type": "http", "method": "GET", "headers": [], "query_string": b"", "path_params": {}}
        return Request(
            scope | {"path": f"{base}/movielens/{path}", "app_root_path": base, "root_path": f"{base}/movielens"}
        )

    return make


def test_addresses_have_the_path_of_airflows_base_url(request_at):
    from airflow_movielens.plugin.rendering import page_url

    request = request_at("partitions/")
    assert page_url(request) == "/air/flow/movielens/"
    assert page_url(request, "partitions/2015-03-07", dataset="s3://a/b c", year=None, reason="") == (
        "/air/flow/movielens/partitions/2015-03-07?dataset=s3%3A%2F%2Fa%2Fb+c"
    )
    assert page_url(request, "recommendations/", like=["Heat", "Up & away"]) == (
        "/air/flow/movielens/recommendations/?like=Heat&like=Up+%26+away"
    )


def test_addresses_of_airflow_quote_what_they_name():
    from airflow_movielens.plugin.rendering import AirflowUrls

    urls, task = AirflowUrls("/air/flow"), TaskRun("d.1", "manual__2026-11-29T02:00:00+00:00", "fetch", 3, 2)
    mapped = "/air/flow/dags/d.1/runs/manual__2026-11-29T02%3A00%3A00%2B00%3A00/tasks/fetch/mapped/3"
    assert (urls.task(task), urls.log(task)) == (mapped, f"{mapped}?try_number=2")
    assert urls.task(TaskRun("d", "r", "t", -1, 1)) == "/air/flow/dags/d/runs/r/tasks/t"


@pytest.mark.parametrize("base", ["", "/air/flow"])
def test_a_page_is_reached_behind_a_path(page, served, base):
    behind = TestClient(served, cookies=page.cookies, root_path=base)
    response = behind.get(f"{base}/movielens/", follow_redirects=False)
    assert response.headers["Location"] == f"{base}/movielens/partitions/"
    text = behind.get(f"{base}/movielens/nothing").text
    assert f'href="{base}/movielens/rankings/"' in text
    assert f'src="{base}/movielens/static/page.js?v=' in text


def test_static_files_are_kept_by_browsers_and_by_nobody_between(page):
    response = page.get("/movielens/static/page.css?v=1")
    assert response.headers["Content-Type"].startswith("text/css")
    assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert page.get("/movielens/static/icon.svg").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fapp.py", "%2e%2e%2fapp.py"])
def test_only_static_files_are_served(page, name):
    assert page.get(f"/movielens/static/{name}").status_code == 404


def test_records_are_let_go_as_soon_as_they_are_shown(page, catalogue):
    facts = {"start_date": "2015-03-07", "end_date": "2015-03-08", "rows": 3}
    path = f"{catalogue.root}/ratings/2015-03-07.parquet"
    when = "2015-03-08T01:00:00Z"
    catalogue.add(Record("fetch", when, path, succeeded=True, error=None, task=None, facts=facts))
    gc.collect()
    gc.disable()
    try:
        for view in ("partitions/", "partitions/2015-03-07/"):
            assert "2015" in page.get(f"/movielens/{view}").text
            assert [kept for kept in gc.get_objects() if type(kept) is Record and kept.path == path] == []
    finally:
        gc.enable()
