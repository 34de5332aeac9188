"""Files and arguments of the operators, in addition to the Dags of `test_dags`."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
import time

import polars as pl
import pytest
from airflow.exceptions import AirflowFailException
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem
from unit.scripted_server import Response, page_of, ratings, serve

from airflow_movielens.client import RetryableError
from airflow_movielens.operators import (
    MovielensFetchRatingsOperator,
    MovielensPopularityOperator,
    MovielensRankMoviesOperator,
)
from airflow_movielens.ranking import rank_movies
from airflow_movielens.ranking.manifest import InputFile
from airflow_movielens.storage.input_facts import ratings_files_on_spark, unread_file

WINDOW = {"start_date": "2000-11-20", "end_date": "2000-11-21"}


def fetch(path, **arguments):
    return MovielensFetchRatingsOperator(task_id="fetch", output_path=str(path), **WINDOW | arguments).execute({})


def rank(input_path, output_path, **arguments):
    operator = MovielensRankMoviesOperator(
        task_id="rank", input_path=input_path, output_path=str(output_path), **arguments
    )
    return operator.execute({})


def test_fetching_returns_a_small_manifest(tmp_path, api):
    manifest = fetch(tmp_path / "r.parquet", batch_size=100)
    expected = {"path": str(tmp_path / "r.parquet"), **WINDOW, "rows": 1055, "quarantined": 0, "source": api.base_url}
    assert manifest.items() >= expected.items()
    assert json.loads((tmp_path / ".r.parquet.manifest.json").read_text()) == manifest
    assert len(json.dumps(manifest)) < 1000
    assert len(pl.read_parquet(tmp_path / "r.parquet")) == 1055


def test_a_ranking_by_a_method_has_titles_genres_and_movement(tmp_path):
    fetch(tmp_path / "week.parquet", start_date="2000-11-15", end_date="2000-11-22")
    fetch(tmp_path / "day.parquet", start_date="2000-11-27", end_date="2000-11-28")
    files = [str(tmp_path / "week.parquet"), str(tmp_path / "day.parquet")]
    better = {"method": "bayesian", "conn_id": "movielens"}
    rank(files[0], tmp_path / "week.csv", **better)
    manifest = rank(
        files, tmp_path / "all.csv", compare_to=str(tmp_path / "week.csv"), parameters={"k": "50"}, **better
    )
    assert (manifest["method"], manifest["parameters"]) == ("bayesian", {"k": 50.0})
    ranking = pl.read_csv(tmp_path / "all.csv")
    expected = rank_movies(pl.concat(map(pl.read_parquet, files)), "bayesian", k=50)
    assert ranking.select(expected.columns).write_csv() == expected.write_csv()
    assert ranking.columns[:5] == ["rank", "movieId", "title", "year", "genres"]
    assert ranking.columns[-3:] == ["previous_rank", "rank_change", "is_new"]
    assert 0 < ranking["is_new"].sum() < len(ranking)
    by_genre = rank(files, tmp_path / "genres.csv", conn_id="movielens", method="trending", by="genre", min_ratings="3")
    assert by_genre["rows"] == len(pl.read_csv(tmp_path / "genres.csv").unique(["genre", "rank"]))
    with pytest.raises(AirflowFailException, match="k is 'many': give a number of at least 0"):
        rank(files, tmp_path / "x.csv", method="bayesian", parameters={"k": "many"})


def test_object_storage_is_written_and_read(tmp_path):
    attach(protocol="memory", fs=MemoryFileSystem())
    fetch("memory://bucket/ratings/20.parquet")
    fetch(tmp_path / "local.parquet")

    assert (
        ObjectStoragePath("memory://bucket/ratings/20.parquet").read_bytes()
        == (tmp_path / "local.parquet").read_bytes()
    )
    rank("memory://bucket/ratings/*.parquet", "memory://bucket/ranking.csv")
    rank(str(tmp_path / "local.parquet"), tmp_path / "ranking.csv")
    assert ObjectStoragePath("memory://bucket/ranking.csv").read_text() == (tmp_path / "ranking.csv").read_text()


def test_spark_takes_the_checksum_of_object_storage_from_the_manifest_of_the_same_size(tmp_path):
    attach(protocol="memory", fs=MemoryFileSystem())
    url = "memory://bucket/checksums/20.parquet"
    fetched = fetch(url)
    # Their manifest has all facts, so Spark is not asked.
    (file,) = ratings_files_on_spark([url], None)
    assert dataclasses.asdict(file).items() <= fetched.items()
    with ObjectStoragePath(url).open("ab") as data:
        data.write(b"more")
    assert unread_file(url) == InputFile(url, None, fetched["bytes"] + 4)


def test_a_glob_on_object_storage_finds_ratings_only(tmp_path):
    attach(protocol="memory", fs=MemoryFileSystem())
    fetch("memory://bucket/.hidden/days/20.csv")
    ObjectStoragePath("memory://bucket/.hidden/days/.partial-21.csv-0123456789abcdef/0.csv").write_text("half")
    ObjectStoragePath("memory://bucket/.hidden/days/20.csv.quarantine.ndjson").write_text("{}")
    assert rank("memory://bucket/.hidden/days/*20.csv*", tmp_path / "ranking.csv")["files"] == 1
    assert rank("memory://bucket/.hidden/**/*.csv", tmp_path / "ranking.csv")["files"] == 1


def test_the_operators_concurrency_is_that_of_the_client(connection, tmp_path):
    rows, in_flight, lock = ratings(600), [0, 0], threading.Lock()

    def slow(_, query, __):
        with lock:
            in_flight[0] += 1
            in_flight[1] = max(in_flight)
        time.sleep(0.04)
        with lock:
            in_flight[0] -= 1
        return page_of(rows, query)

    seen = []
    with serve(slow) as server:
        connection(host=server.base_url, port=None)
        for given in (3, "4", None):
            in_flight[1] = 0
            fetch(tmp_path / "r.csv", start_date="1970-01-02", end_date="1970-01-03", batch_size=11, concurrency=given)
            seen.append(in_flight[1])
    assert seen[:2] == [3, 4]
    assert 4 < seen[2] <= 16
    with pytest.raises(AirflowFailException, match="concurrency is 0: give a whole number of at least 1"):
        fetch(tmp_path / "r.csv", concurrency=0)


def test_a_file_url_is_a_local_path(tmp_path):
    fetch(f"file://{tmp_path}/with%20space.csv")
    assert (tmp_path / "with space.csv").is_file()


@pytest.mark.parametrize("form", ["glob", "list", "mixed"])
def test_ranking_takes_globs_and_lists(tmp_path, truth, form):
    fetch(tmp_path / "a-20.csv")
    fetch(tmp_path / "a-21.ndjson.gz", start_date="2000-11-21", end_date="2000-11-22")
    (tmp_path / "a-21.ndjson.gz.quarantine.ndjson").write_text("{}")
    paths = {
        "glob": str(tmp_path / "a-*"),
        "list": [str(tmp_path / "a-20.csv"), str(tmp_path / "a-21.ndjson.gz")],
        "mixed": [str(tmp_path / "a-20.*"), str(tmp_path / "a-21.ndjson.gz")],
    }
    manifest = rank(paths[form], tmp_path / "ranking.parquet")
    assert manifest["files"] == 2
    ranking = pl.read_parquet(tmp_path / "ranking.parquet")
    both_days = truth[truth["timestamp"].between(974_678_400, 974_851_199)]
    assert manifest["rows"] == len(ranking) == (both_days.groupby("movieId").size() >= 3).sum()
    assert ranking.columns == ["movieId", "avg_rating", "num_ratings"]


def test_titles_come_from_a_file_or_from_the_api(tmp_path):
    fetch(tmp_path / "r.csv")
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n912,Casablanca (1942),Drama\n")
    rank(str(tmp_path / "r.csv"), tmp_path / "file.csv", movies_path=str(tmp_path / "movies.csv"), conn_id="movielens")
    rank(str(tmp_path / "r.csv"), tmp_path / "api.csv", conn_id="movielens")
    assert "912,Casablanca (1942)," in (tmp_path / "file.csv").read_text()
    assert "912,Casablanca," in (tmp_path / "api.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_path": "nowhere/*.csv"}, r"no file matches nowhere/\*\.csv"),
        ({"input_path": []}, "no input file is given"),
        ({"input_path": "nowhere.csv"}, r"there is no file nowhere\.csv"),
        ({"min_ratings": 0}, "min_ratings is 0: give a whole number of at least 1"),
        ({"method": "median"}, "no ranking method 'median'"),
        ({"output_path": "ranking.txt"}, r"cannot tell the file format of 'ranking\.txt'"),
        ({"movies_path": "nowhere.csv"}, r"there is no file nowhere\.csv"),
    ],
)
def test_bad_arguments_fail_for_good_with_a_clear_message(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    fetch(tmp_path / "r.csv")
    given = {"input_path": str(tmp_path / "r.csv"), "output_path": str(tmp_path / "ranking.csv")} | arguments
    with pytest.raises(AirflowFailException, match=message):
        rank(**given)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".r.csv.manifest.json", "r.csv"]


@pytest.mark.parametrize("path", ["ratings", "s3://bucket/ratings.txt"])
def test_an_unknown_output_format_is_refused_before_fetching(path):
    with pytest.raises(AirflowFailException, match="cannot tell the file format"):
        fetch(path, conn_id="there_is_none")


def test_an_unknown_method_is_refused_before_fetching():
    with pytest.raises(AirflowFailException, match="no ranking method 'median'"):
        MovielensPopularityOperator(task_id="p", conn_id="there_is_none", method="median", **WINDOW).execute({})


@pytest.mark.parametrize("status", [404, 405])
def test_an_api_that_serves_only_ratings_is_enough(connection, caplog, status):
    def script(path, query, _):
        return page_of(ratings(40), query) if path == "/ratings" else Response({"detail": "not served"}, status)

    with serve(script) as server:
        connection(host=server.base_url)
        operator = MovielensPopularityOperator(
            task_id="p", start_date="1970-01-02", end_date="1970-01-03", min_ratings=1, top_n=1
        )
        assert operator.execute({}) == [{"movieId": 1, "title": None, "avg_rating": 3.5, "num_ratings": 1}]
    assert "The API does not serve movies" in caplog.text


def test_the_batch_size_is_the_limit_of_a_request(connection, tmp_path):
    with serve(lambda _, query, __: page_of(ratings(40), query)) as server:
        connection(host=server.base_url)
        fetch(tmp_path / "r.csv", start_date="1970-01-02", end_date="1970-01-03", batch_size="7")
        asked = [query for _, query, _ in server.requests]
        assert {query["limit"] for query in asked if query["start_date"] == "1970-01-02"} == {"7"}


def test_a_transient_fault_is_left_to_airflows_retries(connection, tmp_path):
    with serve(lambda *_: Response({}, 503, {"Retry-After": "0"})) as server:
        connection(host=server.base_url)
        with pytest.raises(RetryableError):
            fetch(tmp_path / "r.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows_per_part", [250_000, 20])
def test_a_stopped_task_leaves_only_parts_that_a_retry_resumes_from(
    connection, tmp_path, temporary_folder, default_tuning, rows_per_part
):
    default_tuning(part_rows=rows_per_part)
    operator = MovielensFetchRatingsOperator(task_id="fetch", output_path=str(tmp_path / "r.csv"), **WINDOW)

    def script(_, query, __):
        if query["offset"] == "54":  # all earlier requests have a response, so that a part can become durable
            while rows_per_part == 20 and not list(tmp_path.glob(".partial-*/*.arrow")):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)
        return page_of(ratings(2000), query)

    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())  # as Airflow's task runner does
    try:
        with serve(script) as server:
            connection(host=server.base_url, extra='{"page_size": 10, "concurrency": 1}')
            operator._start_date, operator._end_date = "1970-01-02", "1970-01-03"
            with pytest.raises(SystemExit, match="asked to stop"):
                operator.execute({})
            assert len(server.requests) < 40  # of 223
    finally:
        signal.signal(signal.SIGTERM, before)
    left = [file.name for file in tmp_path.iterdir() if not file.name.startswith(".partial-r.csv-")]
    assert left == []
    assert bool(list(tmp_path.iterdir())) == (rows_per_part == 20)


def test_a_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fetch("~/r.csv")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".r.csv.manifest.json", "r.csv"]


@pytest.mark.parametrize("arguments", [{"min_ratings": 0}, {"top_n": -1}, {"min_ratings": "x"}, {"top_n": 1.5}])
def test_numbers_out_of_range_are_reported_by_name(arguments):
    (name,) = arguments
    with pytest.raises(AirflowFailException, match=f"{name} is .*: give a whole number of at least 1"):
        MovielensPopularityOperator(task_id="p", **WINDOW | arguments).execute({})


def test_template_fields_are_listed():
    assert set(MovielensPopularityOperator.template_fields) >= {
        "conn_id",
        "_start_date",
        "_end_date",
        "min_ratings",
        "top_n",
    }
    assert set(MovielensRankMoviesOperator.template_fields) >= {
        "input_path",
        "output_path",
        "movies_path",
        "min_ratings",
    }
