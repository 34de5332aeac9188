"""An argument of a wrong type or value: the task succeeds, or fails for good with one sentence."""

import pytest
from airflow.exceptions import AirflowFailException

from airflow_movielens.operators import (
    MovielensFetchRatingsOperator,
    MovielensPopularityOperator,
    MovielensRankMoviesOperator,
)

DAY = {"start_date": "2000-11-20", "end_date": "2000-11-21"}
WRONG = [None, True, -1, 0, 1.5, float("nan"), "", " ", "no such thing", [], ["mean"], {}, {"a": 1}, object(), b"x"]


@pytest.fixture(scope="module")
def ratings_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("ratings") / "r.csv"
    path.write_text("userId,movieId,rating,timestamp\n1,2,4.5,974678400\n")
    return path


def run(operator, **arguments):
    """Return how a task ends: done, or the exception."""
    try:
        operator(task_id="t", **arguments).execute({})
    except Exception as error:  # noqa: BLE001 -- which one it is, is the question
        return error
    return None


@pytest.mark.parametrize("name", ["output_path", "conn_id", "batch_size", "concurrency", "on_bad_rows"])
def test_fetching(name, api, tmp_path):
    check(name, MovielensFetchRatingsOperator, {"output_path": str(tmp_path / "r.csv"), **DAY}, tmp_path)


@pytest.mark.parametrize("name", ["input_path", "output_path", "conn_id", "movies_path", "min_ratings", "method"])
def test_ranking(name, ratings_file, tmp_path):
    right = {"input_path": str(ratings_file), "output_path": str(tmp_path / "ranking.csv")}
    check(name, MovielensRankMoviesOperator, right, tmp_path)


@pytest.mark.parametrize("name", ["conn_id", "min_ratings", "top_n", "method"])
def test_popularity(name, api, tmp_path):
    check(name, MovielensPopularityOperator, DAY, tmp_path)


def check(name, operator, right, folder):
    for value in WRONG:
        error = run(operator, **right | {name: value})
        assert error is None or type(error) is AirflowFailException, f"{name}={value!r}: {error!r}"
        assert error is None or "\n" not in str(error), f"{name}={value!r}: {error}"
        assert not list(folder.glob(".partial-*")), f"{name}={value!r}"


def test_says_what_to_do(api, tmp_path):
    right = {"output_path": str(tmp_path / "r.csv"), **DAY}
    assert "give the id of an Airflow connection" in str(run(MovielensFetchRatingsOperator, **right, conn_id=None))
    assert "create it, or set AIRFLOW_CONN_" in str(run(MovielensFetchRatingsOperator, **right, conn_id="nowhere"))
    assert "no ranking method ['mean']" in str(run(MovielensPopularityOperator, **DAY, method=["mean"]))
