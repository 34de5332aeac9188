"""The book's ranking, which keeps more than ``min_ratings`` and is indexed by movieId."""

from __future__ import annotations

import json

import pandas as pd
import polars as pl
import pytest

from airflow_movielens.book import rank_movies_by_rating


def rated(*rows):
    return pd.DataFrame(rows, columns=["userId", "movieId", "rating", "timestamp"])


def ratings_of(movie, *values):
    return [(user, movie, value, 1) for user, value in enumerate(values, start=1)]


def test_only_movies_with_more_ratings_are_kept_ordered_by_rating_and_count():
    ratings = rated(
        *ratings_of(1, 4, 4, 4), *ratings_of(2, 5, 5), *ratings_of(3, 3, 5, 4, 4), *ratings_of(4, 5, 5, 5)
    )  # fmt: skip
    ranking = rank_movies_by_rating(ratings)
    assert ranking.index.name == "movieId"
    assert ranking.to_csv() == "movieId,avg_rating,num_ratings\n4,5.0,3\n3,4.0,4\n1,4.0,3\n"
    assert rank_movies_by_rating(ratings, min_ratings=3).index.tolist() == [3]
    assert rank_movies_by_rating(ratings, min_ratings=1).index.tolist() == [4, 2, 3, 1]


def test_all_ratings_of_a_user_are_in_the_mean_but_a_user_counts_once():
    ratings = rated(*ratings_of(1, 5, 4, 3), (1, 1, 0, 2))
    assert rank_movies_by_rating(ratings).loc[1].to_list() == [3.0, 3.0]


def test_a_day_without_ratings_gives_an_empty_ranking(tmp_path):
    file = tmp_path / "ratings.json"
    file.write_text(json.dumps([]))
    for ratings in (pd.read_json(file), rated(), pd.DataFrame()):
        assert rank_movies_by_rating(ratings).to_csv() == "movieId,avg_rating,num_ratings\n"


def test_unusable_ratings_are_reported():
    with pytest.raises(ValueError, match="the ratings lack the columns rating, userId"):
        rank_movies_by_rating(pd.DataFrame({"movieId": [1]}))
    with pytest.raises(TypeError, match=r"ratings is a polars\.\S+DataFrame: give a pandas DataFrame"):
        rank_movies_by_rating(pl.DataFrame({"movieId": [1]}))
