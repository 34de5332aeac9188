"""The tabs on Dag runs and task instances."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from integration.page.dag_rights import READABLE_FOR_ANALYST

from airflow_movielens.storage.catalogue import Record, TaskRun

RUN_ID = "manual__2026-11-29T02:00:00+00:00"
# As Airflow's UI writes it into an address.
RUN = "/movielens/dags/{dag_id}/runs/manual__2026-11-29T02%3A00%3A00%2B00%3A00/"


@pytest.fixture
def did(catalogue, data_root):
    """Return a function that adds a record of a task of the run."""

    def add(kind, task_id, path, *, dag_id="05_pipeline", map_index=-1, try_number=1, error=None, **facts):
        task = TaskRun(dag_id, RUN_ID, task_id, map_index, try_number)
        at = f"2026-11-29T02:00:{10 + try_number}Z"
        catalogue.add(Record(kind, at, str(data_root / path), error is None, error, task, facts))

    return add


@pytest.fixture
def fetched(did):
    """Return a function that adds the record of a fetch of 7 March 2015."""

    def add(**changes):
        fetch = {"pages": 13, "requests_repeated": 2, "seconds": 4.0, "resumed_rows": 4000}
        day = {"start_date": "2015-03-07", "end_date": "2015-03-08"}
        facts = day | {"rows": 12000, "quarantined": 0, "source": "http://localhost:5000", "fetch": fetch}
        did("fetch", "fetch", "ratings/2015-03-07.parquet", **facts | changes)

    return add


def text_of(response):
    """Return the text of a page's content, without tags."""
    assert response.status_code == 200, response.text
    content = re.search(r"<main[^>]*>(.*)</main>", response.text, re.DOTALL)[1]
    without_links = re.sub(r"</?(a|code|span|time)\b[^>]*>", "", content)
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", without_links).split()))


def links_of(response):
    return re.findall(r'<a href="([^"]+)"', response.text.partition("<main")[2])


def run_of(client, dag_id="05_pipeline"):
    return client.get(RUN.format(dag_id=dag_id))


def task_of(client, task_id="fetch", map_index="%7BMAP_INDEX%7D", dag_id="05_pipeline"):
    return client.get(f"{RUN.format(dag_id=dag_id)}tasks/{task_id}/{map_index}/")


def test_a_run_shows_what_its_tasks_wrote_and_where_to_look(page, did, fetched, data_root):
    fetched(quarantined=7)
    ranking = {"rows": 850, "method": "trending", "ratings": 99000, "days": 7}
    did("ranking", "rank", "trending-2015-03-07.csv", start_date="2015-03-01", end_date="2015-03-08", **ranking)
    trained = {"ratings": 100004, "users": 671, "first_day": "1995-01-09", "last_day": "2016-10-16"}
    did("training", "train", "registry", registry=str(data_root / "registry"), version="m1", **trained)
    did(
        "evaluation", "evaluate", "report", registry=str(data_root / "registry"), challenger="m1", sentences=["Better."]
    )
    did(
        "promotion",
        "promote",
        "registry",
        registry=str(data_root / "registry"),
        version="m1",
        is_promoted=True,
        reason="It is better.",
    )
    did("recommendations", "recommend", "recommendations.parquet", rows=6710, users=671, model="m1")

    response = run_of(page)
    text = text_of(response)
    groups = ["Fetched", "Ranked", "Trained", "Evaluated", "Promotion", "Recommended"]
    assert re.findall(r'scope="rowgroup"[^>]*>(\w+)', response.text) == groups
    assert "12,000 ratings, and 7 quarantined" in text
    assert "850 movies by trending, from 99,000 ratings of 7 days" in text
    assert "Promoted. It is better." in text
    links = links_of(response)
    assert f"/movielens/partitions/2015-03-07?dataset={str(data_root / 'ratings').replace('/', '%2F')}" in links
    assert f"/movielens/models/?registry={str(data_root / 'registry').replace('/', '%2F')}" in links
    quoted = "manual__2026-11-29T02%3A00%3A00%2B00%3A00"
    assert f"/dags/05_pipeline/runs/{quoted}/tasks/rank" in links
    assert f"/dags/05_pipeline/runs/{quoted}/tasks/rank?try_number=1" in links


def test_of_several_tries_a_run_shows_the_last_one(page, fetched):
    fetched(error="503 from the API.", try_number=1)
    assert "failed 503 from the API." in text_of(run_of(page))
    fetched(try_number=2)
    text = text_of(run_of(page))
    assert "done 12,000 ratings fetch, log of try 2" in text
    assert "503" not in text


def test_a_run_that_wrote_nothing_says_when_something_appears(page, data_root):
    text = text_of(run_of(page, "some_other_dag"))
    assert text.startswith("The catalogue has nothing from this Dag run.")
    assert str(data_root) in text


def test_a_fetching_task_shows_how_it_fetched(page, fetched, data_root):
    fetched(error="503 from the API.", try_number=1)
    fetched(quarantined=2, try_number=2)
    rows = [
        {"problem": f"rating is {stars}", "column": "rating", "row": {"userId": 1}, "url": "/ratings", "number": 0}
        for stars in (11, "<b>")
    ]
    quarantine = data_root / "ratings/2015-03-07.parquet.quarantine.ndjson"
    quarantine.parent.mkdir()
    quarantine.write_text("".join(json.dumps(row) + "\n" for row in rows))

    response = task_of(page)
    text = text_of(response)
    figures = re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", response.text)
    # 8,002 rows in 4 seconds: the first 4,000 were there.
    assert ("Ratings per second", "2,000") in figures
    assert {("Pages", "13"), ("Requests repeated", "2"), ("Resumed from row", "4,000")} <= set(figures)
    assert "rating is 11 rating" in text
    assert "rating is <b>" in text
    assert "failed 503 from the API. fetch, log of try 1" in text


def test_each_mapped_task_instance_shows_its_own(page, did):
    day = {"start_date": "2015-03-07", "end_date": "2015-03-08", "quarantined": 0}
    did("fetch", "fetch", "a.json", map_index=0, rows=11, **day)
    did("fetch", "fetch", "b.json", map_index=1, rows=22, **day)
    texts = [text_of(task_of(page, map_index=index)) for index in ("0", "1", "%7BMAP_INDEX%7D")]
    assert ["11 ratings" in texts[0], "22 ratings" in texts[0]] == [True, False]
    assert ["11 ratings" in texts[1], "22 ratings" in texts[1]] == [False, True]
    assert texts[2].startswith("The catalogue has nothing from this task instance.")


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        (("2015-03-01", "2015-04-01"), "2015-03-01 to 2015-03-31"),
        ((None, "2015-04-01"), "first day to 2015-03-31"),
        ((None, None), "first day to last day"),
    ],
)
def test_a_longer_window_is_shown_by_its_first_and_last_day(page, fetched, bounds, shown):
    fetched(start_date=bounds[0], end_date=bounds[1])
    assert text_of(task_of(page)).startswith(f"{shown} done")


def test_a_damaged_entry_is_said_above_what_is_left(page, fetched, did, data_root):
    fetched()
    did("ranking", "rank", "trending.csv", error="No space left on device.")
    ranking = next(
        path for path in (data_root / ".movielens-catalogue/runs").rglob("*.json") if "trending" in path.read_text()
    )
    ranking.write_text("{")
    text = text_of(run_of(page))
    assert text.index("is damaged") < text.index("12,000 ratings")


def test_tabs_of_a_dag_are_for_those_who_may_read_it(analyst, fetched):
    fetched(dag_id=READABLE_FOR_ANALYST)
    fetched(dag_id="05_pipeline")
    for tab in (run_of, task_of):
        assert "12,000" in text_of(tab(analyst, dag_id=READABLE_FOR_ANALYST))
        assert tab(analyst, dag_id="05_pipeline").status_code == 403
        assert tab(analyst, dag_id="~").status_code == 403
