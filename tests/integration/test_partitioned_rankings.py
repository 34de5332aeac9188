"""The rankings of `dags/06_partitioned.py`: of a day and of 30 days, by two methods, with movement."""

from __future__ import annotations

import json

import polars as pl
import pytest

from airflow_movielens.ranking import rank_movies

pytestmark = pytest.mark.airflow("3.3")

METHODS = ["bayesian", "trending"]
DAYS = ["2000-11-19", "2000-11-20", "2000-11-21"]


@pytest.fixture
def run_partition(run_day):
    def run(dag_id, key):
        run = run_day(dag_id, partition=key)
        assert run.state == "success", run.log
        return run

    return run


@pytest.fixture
def folder(airflow):
    return airflow / "06_partitioned"


def fetched(folder, *days):
    return pl.concat(pl.read_parquet(folder / "ratings" / f"{day}.parquet") for day in days)


def check(file, expected):
    """Check that a file holds a ranking, with further columns for the titles."""
    found = pl.read_csv(file)
    assert found.select(expected.columns).write_csv() == expected.write_csv()
    assert found.columns[:3] == ["rank", "movieId", "title"]
    return found


def test_days_and_windows_are_ranked_whatever_day_comes_first(run_partition, folder):
    first, day, next_day = DAYS
    run_partition("06_ratings", day)
    run_partition("06_rank", day)
    for method in METHODS:
        check(folder / "rankings" / method / f"{day}.csv", rank_movies(fetched(folder, day), method))

    states = run_partition("06_trailing", day).tasks
    assert states == {
        **{f"rank_{method}_before": "skipped" for method in METHODS},
        **{f"rank_{method}": "success" for method in METHODS},
    }
    for method in METHODS:
        # There was nothing to compare to.
        ranking = check(folder / "trailing" / method / f"{day}.csv", rank_movies(fetched(folder, day), method))
        assert "is_new" not in ranking.columns

    run_partition("06_ratings", next_day)
    check_window(run_partition, folder, next_day, [day])
    run_partition("06_ratings", first)  # late
    check_window(run_partition, folder, next_day, [first, day])


def check_window(run_partition, folder, last, days_before):
    """Run a window's Dag twice, and check each ranking and its movement since the window one day earlier."""
    run_partition("06_trailing", last)
    files = [folder / "trailing" / method / f"{last}.csv" for method in METHODS]
    written = [file.read_bytes() for file in files]
    run = run_partition("06_trailing", last)
    assert [file.read_bytes() for file in files] == written
    assert f"{29 - len(days_before)} of 30 days were never fetched" in run.log
    for method, file in zip(METHODS, files, strict=True):
        earlier = rank_movies(fetched(folder, *days_before), method)
        ranking = check(file, rank_movies(fetched(folder, *days_before, last), method, compare_to=earlier))
        assert 0 < ranking["is_new"].sum() < len(ranking)
        assert run.results[f"rank_{method}"]["days"] == len(days_before) + 1
        (compared,) = run.results[f"rank_{method}"]["compare_to"]
        assert json.loads((file.parent / f".{file.name}.manifest.json").read_text())["compare_to"] == [compared]
        assert compared["path"] == str(file.parent / "before" / file.name)
