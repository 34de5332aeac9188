"""Records that were not written by our operators: the page reads no file elsewhere, and shows what else there is."""

from __future__ import annotations

import json
from html import unescape

import polars as pl
import pytest

from airflow_movielens.storage.catalogue import Record, TaskRun

DAG, RUN = "06_partitioned", "run"
AGAIN = "2015-03-09T01:00:00Z"
MARKUP = '<script>alert("1")</script>'


@pytest.fixture
def add(catalogue):
    """Return a function that adds a record of a task."""

    def add(kind, path, *, task_id="task", **facts):
        task = TaskRun(DAG, RUN, task_id, -1, 1)
        catalogue.add(
            Record(kind, "2015-03-08T01:00:00Z", str(path), succeeded=True, error=None, task=task, facts=facts)
        )

    return add


def said(page, address, status=200, **query):
    response = page.get(f"/movielens/{address}", params=query)
    assert response.status_code == status, response.text
    return unescape(response.text)


def day(**facts):
    return {"start_date": "2015-03-07", "end_date": "2015-03-08", "rows": 5, "quarantined": 0, **facts}


def test_a_ranking_elsewhere_is_not_read(page, add, tmp_path, data_root):
    secret = tmp_path / "secret.csv"
    pl.DataFrame({"rank": [1], "movieId": [7], "title": ["Secret"], "score": [1.0], "num_ratings": [1]}).write_csv(
        secret
    )
    (data_root / "link.csv").symlink_to(secret)
    for number, path in enumerate([secret, data_root / "link.csv", "http://localhost:9/a.csv"]):
        window = {"start_date": "2015-03-01", "end_date": f"2015-03-1{number}"}
        add("ranking", path, method="popular", parameters={}, **window)
        text = said(page, "rankings/", 500, day=f"2015-03-0{9}" if number == 0 else f"2015-03-1{number - 1}")
        assert f"{str(path)[1:]} is not in {data_root}, so the page does not read it." in text
        assert "Secret" not in text


def test_published_recommendations_and_registries_elsewhere_are_not_read(page, add, tmp_path, data_root):
    (tmp_path / "registry").mkdir()
    add("recommendations", tmp_path / "secret.parquet", registry=str(data_root / "registry"), model="m")
    add("training", tmp_path / "registry")
    text = said(page, "recommendations/", user="7")
    assert f"{tmp_path}/secret.parquet is not in {data_root}" in text
    assert f"The registry {tmp_path}/registry is not in the data root, so this page does not read it." in text
    said(page, "models/", 404, registry=str(tmp_path / "registry"))


def test_quarantined_rows_elsewhere_are_not_read_in_the_tab(page, add, tmp_path):
    (tmp_path / "a.csv.quarantine.ndjson").write_text('{"row": "secret"}\n')
    add("fetch", tmp_path / "a.csv", **day(quarantined=1))
    text = said(page, f"dags/{DAG}/runs/{RUN}/tasks/task/-1/")
    assert "is not in the data root, so this page does not read it." in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "facts",
    [
        {"rows": 10**30},
        {"rows": float("nan")},
        {"rows": "many"},
        {"quarantined": -1},
        {"start_date": "0000-00-00"},
        {"end_date": "0001-01-01"},
        {"histogram": [1, 2]},
        {"fetch": {"seconds": "long"}},
        {"sha256": {}},
    ],
)
def test_a_record_with_impossible_facts_hides_no_other_one(page, add, catalogue, data_root, facts):
    add("fetch", data_root / "a.csv", **day())
    add("fetch", data_root / "b.csv", **(day() | facts))
    text = said(page, "partitions/")
    assert "is damaged, so a record is missing." in text
    assert "5 ratings" in text
    said(page, f"dags/{DAG}/runs/{RUN}/")


def test_the_calendar_has_no_thousands_of_years(page, add, data_root):
    add("fetch", data_root / "a.csv", **day())
    for number, year in enumerate(["0001", "9999"]):
        add("fetch", data_root / f"{number}.csv", **day(start_date=f"{year}-01-01", end_date=f"{year}-01-02"))
    add("fetch", data_root / "all.csv", **day(start_date="0001-01-01", end_date="9999-12-31"))
    text = said(page, "partitions/")
    assert "from 2015-03-07 to 2015-03-07" in text
    assert "0001-01-01 to 9999-12-30" in text


def test_text_is_never_markup(page, add, catalogue, data_root):
    add("fetch", data_root / f"{MARKUP}/a.csv", task_id=MARKUP, source=MARKUP, snapshot=MARKUP, **day())
    task = TaskRun(DAG, RUN, MARKUP, -1, 2)
    catalogue.add(
        Record("fetch", AGAIN, f"{data_root}/{MARKUP}/a.csv", succeeded=False, error=MARKUP, task=task, facts=day())
    )
    for address in ("partitions/", "partitions/2015-03-07/", f"dags/{DAG}/runs/{RUN}/"):
        response = page.get(f"/movielens/{address}")
        assert response.status_code == 200
        assert "<script>alert" not in response.text
        assert "&lt;script&gt;" in response.text


def test_half_a_surrogate_pair_is_shown_as_a_question_mark(page, add, data_root):
    add("fetch", data_root / "\ud800.csv", task_id="\udc00", **day())
    assert "/tasks/%3F" in said(page, "partitions/2015-03-07/")


def test_records_of_other_runs_are_not_in_a_tab(page, add, catalogue, data_root):
    add("fetch", data_root / "a.csv", **day())
    [entry] = (data_root / ".movielens-catalogue/runs").rglob("*.json")
    for number, task in enumerate([None, {"dag_id": DAG, "run_id": "other"}]):
        values = json.loads(entry.read_text())
        values["task"] = task and {**values["task"], **task}
        entry.with_name(f"{number}.json").write_text(json.dumps({**values, "path": f"forged {number}"}))
    text = said(page, f"dags/{DAG}/runs/{RUN}/")
    assert "2015-03-07" in text
    assert text.count("log of try") == 1


def test_damaged_files_of_the_catalogue_are_named(page, add, data_root):
    add("fetch", data_root / "a.csv", **day())
    index = data_root / ".movielens-catalogue/fetch/2015-03.json"
    index.write_text("[" * 100_000)
    assert f"{index} is damaged, so its records are missing: it is nested too deeply" in said(page, "partitions/")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("rankings/movies/1000000000000000000000/", 422),
        ("rankings/movies/-1/", 422),
        ("movies/-1/similar/", 422),
        ("partitions/9999-12-31/", 404),
        ("partitions/?year=-1000000000000", 200),
        ("partitions/?dataset=%00%ff%ed%a0%80", 404),
        ("rankings/?day=0001-01-01", 404),
        ("rankings/?rows=1000000000", 422),
        ("recommendations/?" + "like=1&" * 21, 422),
        ("recommendations/?user=%00", 200),
        ("models/?registry=//example.com", 404),
        ("models/?before=0", 422),
        ("dags/%00/runs/%00/tasks/%00/%00/", 200),
    ],
)
def test_odd_addresses(page, add, data_root, address, status):
    add("fetch", data_root / "a.csv", **day())
    add("ranking", data_root / "r.csv", start_date="2015-03-01", end_date="2015-03-08", method="mean")
    add("training", data_root / "registry")
    response = page.get(f"/movielens/{address}", follow_redirects=False)
    assert response.status_code == status, response.text
    assert response.headers["Cache-Control"] == "no-store"
