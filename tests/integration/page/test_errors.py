"""What the page says when it cannot show a view."""

from __future__ import annotations

from html import unescape

import pytest
from integration.bucket import ATOMIC, ATOMIC_URL, atomic_bucket_at
from starlette.testclient import TestClient

VIEWS = ["/movielens/partitions/", "/movielens/rankings/", "/movielens/models/", "/movielens/dags/a/runs/b/"]


def shown_instead(client, address, status=503):
    response = client.get(address)
    assert response.status_code == status, response.text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    return unescape(response.text.partition("<main")[2])


@pytest.mark.parametrize("view", VIEWS)
def test_without_a_data_root_the_page_says_what_to_set(page, monkeypatch, view):
    monkeypatch.delenv("AIRFLOW__MOVIELENS__DATA_ROOT")
    assert "Set [movielens] data_root in Airflow's configuration" in shown_instead(page, view)


@pytest.mark.parametrize("view", VIEWS)
def test_a_data_root_that_is_not_mounted_is_no_empty_one(page, data_root, view):
    data_root.rmdir()
    said = shown_instead(page, view)
    assert f"The API server has no folder {data_root}." in said
    assert "mount the folder" in said


@pytest.mark.parametrize("view", VIEWS)
def test_files_that_cannot_be_read_are_named_with_the_error(page, data_root, view):
    (data_root / ".movielens-catalogue").write_text("no folder")
    said = shown_instead(page, view)
    assert f"{data_root}/.movielens-catalogue" in said
    assert "Not a directory" in said


@pytest.mark.parametrize("view", VIEWS)
def test_a_missing_file_system_is_said_with_the_package_that_has_it(page, monkeypatch, view):
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", "abfs://bucket/data")
    assert "install apache-airflow-providers-microsoft-azure" in shown_instead(page, view)


def test_an_unexpected_error_is_named_but_its_text_only_logged(served, page, monkeypatch, tmp_path):
    """A file system may raise anything, such as an error of a cloud's library."""
    index = atomic_bucket_at(tmp_path) / ".movielens-catalogue/fetch/2015-03.json"
    index.parent.mkdir(parents=True)
    index.touch()
    ATOMIC.refused = {"cat_file": RuntimeError("the secret is hunter2")}
    monkeypatch.setenv("AIRFLOW__MOVIELENS__DATA_ROOT", ATOMIC_URL)
    client = TestClient(served, cookies=page.cookies, raise_server_exceptions=False)
    said = shown_instead(client, "/movielens/partitions/", 500)
    assert "RuntimeError. The log of the API server has the details." in said
    assert "hunter2" not in said


def test_a_query_that_is_not_valid_is_named(page):
    assert "before: Input should be" in shown_instead(page, "/movielens/models/?before=many", 422)
