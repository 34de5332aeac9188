"""Arguments of wrong types or values, and damaged files: a task succeeds, or fails without retries in one sentence."""

from __future__ import annotations

import errno
import json
import re

import polars as pl
import pytest
from airflow.exceptions import AirflowFailException
from airflow.sdk import BaseHook
from airflow.sdk.io import fs

from airflow_movielens.cli import main
from airflow_movielens.client import DataError, FatalError, RetryableError
from airflow_movielens.operators import (
    MovielensFetchRatingsOperator,
    MovielensPopularityOperator,
    MovielensRankMoviesOperator,
)
from airflow_movielens.ratings.writing import write_table
from airflow_movielens.sensors import MovielensRatingsSensor
from airflow_movielens.task_errors import clear_failures

DAY = {"start_date": "2000-11-20", "end_date": "2000-11-21"}
WRONG = [None, True, -1, 0, 1.5, float("nan"), "", " ", "no such thing", [], ["mean"], {}, {"a": 1}, object(), b"x"]
WRONG += ["None", 2**63, 10**5_000, "9" * 5_000, "\udcff.csv", "a\nb.csv", "a\0b", "/" + "d/" * 3_000 + "x.csv"]
WRONG += [{"path": None}, [[]], {1}, lambda: 1, pl.DataFrame({"a": [1]}), NotImplementedError]


@pytest.fixture(autouse=True)
def current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def ratings_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("ratings") / "r.csv"
    path.write_text("userId,movieId,rating,timestamp\n1,2,4.5,974678400\n")
    return path


def run(operator, **arguments):
    """Run a task, and return its exception, or None."""
    try:
        operator(task_id="t", **arguments).execute({})
    except Exception as error:  # noqa: BLE001 - the tests check which one it is
        return error
    return None


@pytest.mark.parametrize("name", ["output_path", "conn_id", "batch_size", "concurrency", "on_bad_rows"])
def test_no_argument_of_the_fetch_causes_a_traceback(name, api, tmp_path):
    check(name, MovielensFetchRatingsOperator, {"output_path": str(tmp_path / "r.csv"), **DAY}, tmp_path)


@pytest.mark.parametrize("name", ["input_path", "output_path", "conn_id", "movies_path", "min_ratings", "method"])
def test_no_argument_of_the_ranking_causes_a_traceback(name, ratings_file, tmp_path):
    right = {"input_path": str(ratings_file), "output_path": str(tmp_path / "ranking.csv")}
    check(name, MovielensRankMoviesOperator, right, tmp_path)


@pytest.mark.parametrize("name", ["conn_id", "min_ratings", "top_n", "method"])
def test_no_argument_of_popularity_causes_a_traceback(name, api, tmp_path):
    check(name, MovielensPopularityOperator, DAY, tmp_path)


@pytest.mark.parametrize("name", ["conn_id", "start_date", "end_date", "min_ratings", "deferrable"])
def test_no_argument_of_the_sensor_causes_a_traceback(name, api, tmp_path):
    check(name, MovielensRatingsSensor, {**DAY, "timeout": 1}, tmp_path)


def check(name, operator, right, folder):
    for value in WRONG:
        error = run(operator, **right | {name: value})
        assert error is None or type(error) is AirflowFailException, f"{name}={value!r}: {error!r}"
        assert error is None or "\n" not in str(error), f"{name}={value!r}: {error}"
        assert not list(folder.glob(".partial-*")), f"{name}={value!r}"


def test_an_error_says_what_to_do(api, tmp_path):
    right = {"output_path": str(tmp_path / "r.csv"), **DAY}
    assert "give the id of an Airflow connection" in str(run(MovielensFetchRatingsOperator, **right, conn_id=None))
    assert "create it, or set AIRFLOW_CONN_" in str(run(MovielensFetchRatingsOperator, **right, conn_id="nowhere"))
    assert "no ranking method ['mean']" in str(run(MovielensPopularityOperator, **DAY, method=["mean"]))


@pytest.mark.parametrize("name", ["conn_id", "movies_path"])
@pytest.mark.parametrize("value", ["", 0, False, [], {}])
def test_titles_are_left_out_only_if_not_requested(name, value, ratings_file, tmp_path):
    right = {"input_path": str(ratings_file), "output_path": str(tmp_path / "ranking.csv")}
    assert type(run(MovielensRankMoviesOperator, **right | {name: value})) is AirflowFailException


@pytest.mark.parametrize(("value", "is_deferred"), [("false", False), ("off", False), (0, False), ("true", True)])
def test_deferrable_may_be_text(value, is_deferred, api):
    error = run(MovielensRatingsSensor, **DAY, deferrable=value)
    assert (error is not None) == is_deferred
    if is_deferred:
        assert str(error) == "the context has no task instance, which this mode needs: use mode='poke'"


ENDINGS = ["csv", "csv.gz", "csv.zst", "json", "json.gz", "ndjson", "ndjson.gz", "ndjson.zst", "parquet"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_damaged_anywhere_is_read_or_refused(ending, tmp_path):
    rows = {"userId": range(1, 41), "movieId": [7] * 40, "rating": [4.5] * 40, "timestamp": range(1000, 1040)}
    file, ranking = tmp_path / f"r.{ending}", tmp_path / "ranking.csv"
    write_table(pl.LazyFrame(rows), file)
    whole = file.read_bytes()
    places = {*range(4), *range(4, len(whole), len(whole) // 8 + 1), len(whole) - 9, len(whole) - 1}
    for place in places:
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]):
            file.write_bytes(damaged)
            error = run(MovielensRankMoviesOperator, input_path=str(file), output_path=str(ranking), min_ratings=1)
            assert error is None or type(error) is AirflowFailException, (place, error)
            assert error is None or (str(file) in str(error) and "\n" not in str(error)), (place, error)
            assert error or damaged or "." not in ending, "compressed text is never empty"


def test_a_file_that_only_python_decompresses_is_read(tmp_path, ratings_file):
    rows = pl.read_csv(ratings_file).lazy()
    file = tmp_path / "r.csv.gz"
    write_table(rows, file)
    whole = bytearray(file.read_bytes())
    whole[3] |= 0x20  # a reserved flag
    file.write_bytes(whole)
    ranking = tmp_path / "ranking.csv"
    assert run(MovielensRankMoviesOperator, input_path=str(file), output_path=str(ranking), min_ratings=1) is None
    assert ranking.read_text() == "movieId,avg_rating,num_ratings\n2,4.5,1\n"


def connected_file_system(conn_id, _options):
    """Act as the file system of a provider that reads its settings from a connection, as Google's does."""
    BaseHook.get_connection(conn_id)
    json.loads('{"cut')


STORES = {
    "gs://nowhere@b/x.csv": "cannot be used: The conn_id `nowhere` isn't defined: create it, or set AIRFLOW_CONN_",
    "gs://cut@b/x.csv": "cannot be used: Unterminated string",
    "s3://nowhere@b/x.csv": r"install apache-airflow-providers-amazon\[s3fs\]",
    "nothing://b/x.csv": "install the Airflow provider that has one",
}


@pytest.mark.parametrize("url", STORES)
def test_unusable_object_storage_is_reported(url, ratings_file, tmp_path, monkeypatch, capsys):
    # The Airflow providers of object storage are not installed.
    monkeypatch.setattr(fs, "_register_filesystems", lambda: {"gs": connected_file_system})
    monkeypatch.setenv("AIRFLOW_CONN_CUT", json.dumps({"conn_type": "http"}))
    right = {"input_path": str(ratings_file), "output_path": str(tmp_path / "ranking.csv")}
    for name in ("input_path", "output_path", "movies_path"):
        error = run(MovielensRankMoviesOperator, **right | {name: url})
        assert type(error) is AirflowFailException
        assert re.match(f"{url} .*{STORES[url]}", str(error))
        options = {"--" + key.replace("_", "-"): value for key, value in (right | {name: url}).items()}
        assert main(["rank", *(f"{option}={value}" for option, value in options.items())]) == 2
        assert re.search(f"movielens rank: {url} .*{STORES[url]}", capsys.readouterr().err)


FINAL = [FatalError("x"), DataError("x"), ValueError("x"), FileNotFoundError("x"), PermissionError("x")]
FINAL += [OSError(number, "x") for number in (errno.EROFS, errno.ENAMETOOLONG, errno.EISDIR)]
RETRIED = [RetryableError("x"), MemoryError("x"), TypeError("x"), KeyError("x"), ConnectionResetError("x")]
RETRIED += [OSError(number, "x") for number in (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EDQUOT)]


@pytest.mark.parametrize("error", [*FINAL, *RETRIED], ids=repr)
def test_airflow_retries_only_transient_errors(error):
    expected = AirflowFailException if error in FINAL else type(error)
    with pytest.raises(expected) as caught, clear_failures():
        raise error
    assert type(caught.value) is expected
