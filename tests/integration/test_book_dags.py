"""The Dags of the book's second edition against the API of its contract, in its own process and time zone."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from book_server import PASSWORD, USER, serve_book

from airflow_movielens.ranking import rank_movies_by_rating as rank_as_elsewhere

DAY, NEXT_DAY = "2000-11-20", "2000-11-21"
FETCHING = ["chapter_02_hook", "chapter_03_operator", "chapter_04_sensor", "chapter_05_deferrable_sensor"]
FIVE = ["chapter_01_python", *FETCHING]


@pytest.fixture(scope="module")
def ratings_file(tmp_path_factory, truth):
    file = tmp_path_factory.mktemp("book") / "ratings.csv"
    truth[["userId", "movieId", "rating", "timestamp"]].to_csv(file, index=False)
    return file


@pytest.fixture(scope="module", params=["UTC", "Asia/Seoul", "America/New_York"])
def book(request, ratings_file):
    """Run a server, and return its time zone and port."""
    with serve_book(ratings_file, request.param) as port:
        yield request.param, port


@pytest.fixture
def connect(book, connection, monkeypatch):
    """Point the connection `movielens` to the server; call the result to set extras."""
    monkeypatch.setenv("BOOK_API", f"http://127.0.0.1:{book[1]}")

    def connect(**extra):
        connection(port=book[1], login=USER, password=PASSWORD, extra=extra)

    connect()
    return connect


@pytest.fixture
def in_its_time_zone(book, connect):
    connect(time_zone=book[0])


def day_of(truth, time_zone):
    """Return the ratings of a day in a time zone."""
    first, beyond = (pd.Timestamp(day, tz=time_zone).timestamp() for day in (DAY, NEXT_DAY))
    day = truth[(truth["timestamp"] >= first) & (truth["timestamp"] < beyond)]
    return day[["userId", "movieId", "rating", "timestamp"]]


def ranking_of(day):
    """Return the book's ranking, computed row by row."""
    ratings = {}
    for row in day.to_dict("records"):
        ratings.setdefault(row["movieId"], {}).setdefault(row["userId"], []).append(row["rating"])
    ranking = []
    for movie, users in sorted(ratings.items()):
        values = [value for each in users.values() for value in each]
        if len(users) > 2:
            ranking.append((movie, sum(values) / len(values), len(users)))
    return sorted(ranking, key=lambda row: (-row[1], -row[2]))


def read_json(file):
    return sorted(json.loads(file.read_text()), key=lambda row: (row["timestamp"], row["userId"], row["movieId"]))


def test_the_first_dag_gives_the_days_and_the_ranking_of_the_book(run_day, airflow, truth, book, connect):
    run = run_day("chapter_01_python", DAY)
    assert run.state == "success", run.log
    day = day_of(truth, book[0])
    assert read_json(airflow / "chapter_01_python" / f"{DAY}.json") == day.to_dict("records")
    lines = (airflow / "chapter_01_python" / f"{DAY}.csv").read_text().splitlines()
    assert lines[0] == "movieId,avg_rating,num_ratings"
    ranking = [(int(movie), float(mean), int(count)) for movie, mean, count in (line.split(",") for line in lines[1:])]
    expected = ranking_of(day)
    assert [(movie, count) for movie, _, count in ranking] == [(movie, count) for movie, _, count in expected]
    assert [mean for _, mean, _ in ranking] == pytest.approx([mean for _, mean, _ in expected])
    if book[0] == "UTC":
        assert (len(ranking), len(rank_as_elsewhere(day, 2))) == (4, 58)


@pytest.mark.usefixtures("connect")
@pytest.mark.parametrize("dag_id", FETCHING)
def test_the_other_dags_write_the_same_ratings_if_days_are_utc_days_and_fail_otherwise(
    run_day, airflow, truth, book, dag_id
):
    file = airflow / dag_id / f"{DAY}.json"
    file.unlink(missing_ok=True)
    run = run_day(dag_id, DAY)
    if book[0] == "UTC":
        assert set(run.tasks.values()) == {"success"}, run.log
        assert read_json(file) == day_of(truth, "UTC").to_dict("records")
    else:
        assert run.tasks["fetch_ratings"] == "failed"
        assert "set time_zone to the time zone" in run.log
        assert not file.exists()


@pytest.mark.usefixtures("in_its_time_zone")
@pytest.mark.parametrize("book", ["Asia/Seoul", "America/New_York"], indirect=True)
@pytest.mark.parametrize("dag_id", FETCHING)
def test_with_the_servers_time_zone_they_write_the_ratings_of_the_utc_day(run_day, airflow, truth, dag_id):
    run = run_day(dag_id, DAY)
    assert set(run.tasks.values()) == {"success"}, run.log
    assert read_json(airflow / dag_id / f"{DAY}.json") == day_of(truth, "UTC").to_dict("records")


@pytest.mark.parametrize("book", ["UTC"], indirect=True)
def test_the_deferred_sensor_fails_after_its_timeout(run_day, connect):
    run = run_day("chapter_05_without_ratings", "2000-11-18")
    assert run.tasks == {"wait_for_ratings": "failed"}
    assert "Found 0 ratings in [2000-11-18, 2000-11-19), waiting for 1" in run.log


@pytest.mark.parametrize("book", ["UTC"], indirect=True)
def test_the_deferred_sensor_takes_the_arguments_of_the_book(connect):
    from datetime import timedelta

    from airflow_movielens.book import MovielensSensorAsync

    sensor = MovielensSensorAsync(task_id="wait", conn_id="movielens", execution_timeout=timedelta(seconds=60))
    assert (sensor.deferrable, sensor.poke_interval, sensor.timeout) == (True, 30, 60)
