"""The latest rating of each user and movie."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from airflow_movielens.recommending.histories import RATINGS_SORTED_AT_ONCE, latest_of

NUMBER = 5 * RATINGS_SORTED_AT_ONCE // 2


def many_ratings(users):
    """Return more ratings than are sorted at once, in no order, many of them of the same user and movie."""
    random = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "userId": users(random).astype(np.int32),
            "movieId": random.integers(1, 300, NUMBER, dtype=np.int32),
            "rating": (random.integers(1, 11, NUMBER) / 2).astype(np.float32),
            "timestamp": random.integers(0, 1000, NUMBER, dtype=np.int64),
        }
    )


@pytest.mark.parametrize(
    "users",
    [
        pytest.param(lambda random: random.integers(1, 20_000, NUMBER), id="many users"),
        pytest.param(lambda random: np.where(random.random(NUMBER) < 0.7, 2**31 - 1, 5), id="two users"),
    ],
)
def test_ratings_sorted_in_parts_are_those_sorted_at_once(users):
    ratings = many_ratings(users)
    latest = latest_of(ratings)
    at_once = ratings.sort("userId", "timestamp", "movieId", "rating")
    expected = at_once.unique(["userId", "movieId"], keep="last", maintain_order=True)
    assert len(latest) < NUMBER
    assert latest.equals(expected)
