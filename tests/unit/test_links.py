"""The link of a task in Airflow's UI, and where it leads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_movielens.links import MovielensOutputLink


@pytest.fixture
def link_to(supervised):
    """Make the link of a task that returned something."""
    from airflow.sdk.execution_time.comms import XComResult

    def link_to(returned, map_index=-1):
        def stored(asked):
            is_asked = (asked.key, asked.task_id, asked.map_index) == ("return_value", "group.t", map_index)
            return XComResult(key=asked.key, value=returned if is_asked else None)

        supervised(stored)
        key = SimpleNamespace(
            dag_id="d", task_id="group.t", run_id="manual__2000-11-20T00:00:00+00:00", map_index=map_index
        )
        return MovielensOutputLink().get_link(None, ti_key=key)

    return link_to


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("s3://conn@b-1/a/r #1.csv", "https://console.aws.amazon.com/s3/object/b-1?prefix=a%2Fr+%231.csv"),
        ("s3://b/r.parquet", "https://console.aws.amazon.com/s3/object/b?prefix=r.parquet"),
        ("gs://conn@b/a/r ?.csv", "https://console.cloud.google.com/storage/browser/_details/b/a/r%20%3F.csv"),
    ],
)
def test_the_link_leads_to_the_console_of_the_cloud(link_to, path, link):
    assert link_to({"path": path}) == link


@pytest.mark.parametrize("path", ["/data/r.csv", "file:///data/r.csv", "relative.csv", "memory://b/r.csv"])
def test_the_link_leads_to_the_path_that_the_task_returned(link_to, monkeypatch, path):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/prefix/")
    page = "https://airflow.example.com/prefix/dags/d/runs/manual__2000-11-20T00%3A00%3A00%2B00%3A00/tasks/group.t"
    assert link_to({"path": path}) == f"{page}/xcom"
    assert link_to({"path": path}, map_index=0) == f"{page}/mapped/0/xcom"


@pytest.mark.parametrize("returned", [None, "text"])
def test_there_is_no_link_without_a_manifest(link_to, returned):
    assert link_to(returned) == ""
