"""Inputs on S3: globs, folders, manifests, and how many requests they take."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator

pytestmark = pytest.mark.usefixtures("movielens")


def fetch(url, start, end):
    operator = MovielensFetchRatingsOperator(task_id="fetch", output_path=url, start_date=start, end_date=end)
    return operator.execute({})


def rank(input_path, output_path, **arguments):
    operator = MovielensRankMoviesOperator(task_id="rank", input_path=input_path, output_path=output_path, **arguments)
    return operator.execute({})


@pytest.fixture
def month(bucket):
    """Fetch the 30 days of a month."""
    days = [f"2000-11-{day:02}" for day in range(1, 31)] + ["2000-12-01"]
    fetched = [fetch(bucket.url(f"days/{first}.csv"), first, beyond) for first, beyond in pairwise(days)]
    bucket.proxy.reset()
    return fetched


def test_a_ranking_of_a_month_lists_once_and_gets_each_object_once(bucket, month):
    made = rank(bucket.url("days/2000-11-*.csv"), bucket.url("rankings/month.csv"))
    requests = bucket.proxy.requests
    gets = Counter(request.key for request in requests if request.name == "get")
    assert sorted(gets) == sorted(key for key in bucket.names() if key.startswith("days/"))
    assert set(gets.values()) == {1}
    assert Counter(bucket.proxy.names("^days")) == {"list": 1, "get": 60}
    assert len(bucket.proxy.names("^rankings")) == 6
    assert made["ratings"] == sum(day["rows"] for day in month)


def test_a_ranking_of_manifests_gets_each_object_once(bucket, month):
    rank(month[:3], bucket.url("rankings/days.csv"))
    assert bucket.proxy.names("^days") == ["get"] * 6
