"""`06_partitioned` on the real scheduler and triggerer: ratings arrive, and nothing else triggers a run."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest
import requests

from airflow_movielens.ranking import rank_movies
from airflow_movielens.ratings.schema import RATINGS
from demo.configuration import airflow_environment

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)
YESTERDAY = TODAY - DAY
METHODS = ["bayesian", "trending"]
DAGS = ["06_ratings", "06_late", "06_watch", "06_rank", "06_windows", "06_trailing"]


def ratings_of(day, seed=0, users=12):
    """Return ratings of one day: some movies by enough users, some by too few, some users twice."""
    chance = random.Random(f"{day} {seed}")
    midnight = int(datetime.combine(day, time(), UTC).timestamp())
    return [
        {
            "userId": 1000 + chance.randrange(users),
            "movieId": 9000 + int(chance.triangular(0, 9, 1)),
            "rating": chance.randint(1, 10) / 2,
            "timestamp": midnight + 2000 * number + seed,
        }
        for number in range(40)
    ]


class Pipeline:
    """The six Dags and the API that they read."""

    def __init__(self, stack):
        self.stack = stack
        self.folder = stack.data / "06_partitioned"
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.auth = stack.api_login

    def post(self, ratings):
        """Post one batch: readers see all of it or nothing."""
        self.http.post(f"{self.stack.api_address}/ratings", json=ratings).raise_for_status()

    def keys(self, dag_id, seen=()):
        """Return the partitions of a Dag's runs, except those seen before."""
        return [run["partition_key"] for run in self.runs(dag_id) if run["dag_run_id"] not in seen]

    def runs(self, dag_id, **having):
        found, total = [], 1
        while len(found) < total:
            page = self.stack.airflow.get(f"/dags/{dag_id}/dagRuns", limit=100, offset=len(found), **having)
            found, total = found + page["dag_runs"], page["total_entries"]
        return found

    def seen(self):
        return {run["dag_run_id"] for dag_id in DAGS for run in self.runs(dag_id)}

    def until(self, what, holds):
        self.stack.until(what, holds)

    def until_ranked(self, days, seen):
        """Wait until the windows that end with these days are ranked and no run is left."""
        wanted = set(map(str, days))
        self.until(f"{len(wanted)} windows", lambda: self.is_idle() and wanted <= set(self.keys("06_trailing", seen)))

    def is_idle(self):
        return not {run["dag_id"] for run in self.runs("~", state=["queued", "running"])}.intersection(DAGS)

    def reported_days(self):
        asset = self.stack.airflow.get("/assets", name_pattern="movielens_changed_days")["assets"][0]["id"]
        events = self.stack.airflow.get("/assets/events", asset_id=asset, limit=1000)["asset_events"]
        return {event["partition_key"] for event in events}

    def fetched_days(self):
        return {date.fromisoformat(file.stem) for file in (self.folder / "ratings").glob("[0-9]*.parquet")}

    def ranking(self, kind, method, day):
        return pl.read_csv(self.folder / kind / method / f"{day}.csv", infer_schema=False)

    def true_ratings(self, first, last):
        """Return the ratings that the API has now."""
        window = {"start_date": str(first), "end_date": str(last + DAY), "limit": 10_000}
        ratings = self.http.get(f"{self.stack.api_address}/ratings", params=window).json()
        assert ratings["total"] <= 10_000
        return pl.DataFrame(ratings["result"], schema=RATINGS.polars_schema())

    def true_ranking(self, method, first, last, *, compared):
        """Return the expected ranking and, for a window, its movement since the window one day earlier."""
        earlier = rank_movies(self.true_ratings(first - DAY, last - DAY), method) if compared else None
        return rank_movies(self.true_ratings(first, last), method, compare_to=earlier)

    def check(self, kind, day, days):
        """Check the rankings of a day or window by both methods, and return the number of movies."""
        first = day - (days - 1) * DAY
        compared = kind == "trailing" and any(first - DAY <= fetched < day for fetched in self.fetched_days())
        for method in METHODS:
            expected, found = self.true_ranking(method, first, day, compared=compared), self.ranking(kind, method, day)
            assert ("is_new" in found.columns, found.columns[2]) == (compared, "title")
            assert found.select(expected.columns).write_csv() == expected.write_csv(), f"{kind} {method} {day}"
        return len(found)


@pytest.fixture(scope="module")
def pipeline(running_stack):
    """All six Dags follow their schedules, and the watcher has polled once."""
    pipeline = Pipeline(running_stack)
    running_stack.wait_for_dags([*DAGS, "arrival"])
    for dag_id in DAGS:
        running_stack.airflow.set_paused(dag_id, paused=False)
    running_stack.watch_assets_of("06_watch")
    pipeline.until("the first poll", lambda: pipeline.runs("06_watch", state="success"))
    pipeline.until_ranked([YESTERDAY], set())
    yield pipeline
    for dag_id in DAGS:
        running_stack.airflow.set_paused(dag_id, paused=True)


def test_new_ratings_end_the_wait_and_are_ranked(pipeline, running_stack):
    assert [len(pipeline.ranking("rankings", method, YESTERDAY)) for method in METHODS] == [0, 0]
    running_stack.airflow.set_paused("arrival", paused=False)
    run_id = running_stack.airflow.trigger("arrival", {"start_date": str(YESTERDAY), "end_date": str(TODAY)})
    waiting = {"wait_for_ratings": "deferred", "fetch_ratings": None}
    pipeline.until("the sensor to wait", lambda: running_stack.task_states("arrival", run_id) == waiting)

    seen = pipeline.seen()
    pipeline.post(ratings_of(YESTERDAY))
    pipeline.until("the sensor", lambda: running_stack.run_state("arrival", run_id) == "success")
    assert len(pl.read_csv(running_stack.data / "arrival.csv")) == len(ratings_of(YESTERDAY))

    pipeline.until_ranked([YESTERDAY], seen)
    assert pipeline.check("rankings", YESTERDAY, 1) > 0
    assert pipeline.check("trailing", YESTERDAY, 30) > 0
    assert {*pipeline.keys("06_late", seen), *pipeline.keys("06_rank", seen)} == {str(YESTERDAY)}
    assert pipeline.keys("06_ratings", seen) == []


def days_before(first, last):
    return [TODAY - number * DAY for number in range(first, last, -1)]


@pytest.mark.parametrize(
    ("days", "quiet", "late"),
    [
        pytest.param(days_before(5, 1), [1], [1, 3], id="four days"),
        pytest.param(days_before(31, 7), [4, 11, 12, -1], [12, 20, 22], id="a month", marks=pytest.mark.long),
    ],
)
def test_a_backfill_and_late_ratings_rank_exactly_the_windows_that_they_change(
    pipeline, running_stack, days, quiet, late
):
    airflow = running_stack.airflow
    quiet, late = {days[number] for number in quiet}, [days[number] for number in late]
    # For now, the days that the watcher reports are not fetched.
    airflow.set_paused("06_late", paused=True)
    posted = [day for day in days if day not in quiet]
    pipeline.post([rating for day in posted for rating in ratings_of(day)])
    watched = {str(day) for day in posted if day > TODAY - 30 * DAY}
    pipeline.until("the watcher", lambda: watched <= pipeline.reported_days())
    airflow.set_paused("06_late", paused=False)

    seen = pipeline.seen()
    windows = sorted({*days, *pipeline.fetched_days()})
    backfill(pipeline, days[0], days[-1])
    pipeline.until_ranked(windows, seen)
    assert sorted(pipeline.keys("06_ratings", seen)) == list(map(str, days))
    assert sorted(pipeline.keys("06_rank", seen)) == list(map(str, days))
    assert pipeline.keys("06_late", seen) == []
    # Each window once, though each day is part of up to 30.
    assert sorted(pipeline.keys("06_trailing", seen)) == list(map(str, windows))
    for day in days:
        assert (pipeline.check("rankings", day, 1) > 0) == (day not in quiet)
        pipeline.check("trailing", day, 30)

    seen = pipeline.seen()
    pipeline.post([rating for day in late for rating in ratings_of(day, seed=1)])
    opened = [day for day in windows if day >= late[0]]
    pipeline.until_ranked(opened, seen)
    assert set(pipeline.keys("06_late", seen)) == set(pipeline.keys("06_rank", seen)) == set(map(str, late))
    assert set(pipeline.keys("06_trailing", seen)) == set(map(str, opened))
    assert pipeline.keys("06_ratings", seen) == []
    for day in windows:
        pipeline.check("rankings", day, 1)
        assert pipeline.check("trailing", day, 30) > 0


def backfill(pipeline, first, last):
    """Create a backfill as docs/partitions.md shows it."""
    stack = pipeline.stack
    options = ["--dag-id", "06_ratings", "--from-date", str(first), "--to-date", str(last)]
    command = [sys.executable, "-m", "airflow", "backfill", "create", *options, "--reprocess-behavior", "completed"]
    api_port = int(stack.api_address.rpartition(":")[2])
    environment = airflow_environment(stack.layout, api_port, stack.credentials.api_password)
    stack.airflow.set_paused("06_ratings", paused=True)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    stack.airflow.set_paused("06_ratings", paused=False)
    pipeline.until("the backfill", lambda: not stack.airflow.unfinished_backfills("06_ratings"))
