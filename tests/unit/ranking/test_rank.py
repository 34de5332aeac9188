from __future__ import annotations

import warnings

import pandas as pd
import polars as pl
import pytest

from airflow_movielens.ranking import add_titles, rank_large, rank_movies_by_rating, ranking_method

COLUMNS = ["userId", "movieId", "rating", "timestamp"]
ROWS = [
    (1, 10, 5.0, 100), (2, 10, 4.0, 100), (3, 10, 4.5, 100),
    (1, 20, 4.5, 100), (2, 20, 4.5, 100), (3, 20, 4.5, 100), (4, 20, 4.5, 100),
    (1, 30, 4.5, 100), (2, 30, 4.5, 100), (3, 30, 4.5, 100),
    (1, 40, 5.0, 100), (2, 40, 5.0, 100),
    (1, 50, 0.5, 100), (1, 50, 5.0, 200), (1, 50, 1.0, 150), (2, 50, 5.0, 1), (3, 50, 5.0, 1),
]  # fmt: skip
RANKING = [(50, 5.0, 3), (20, 4.5, 4), (10, 4.5, 3), (30, 4.5, 3)]


def as_pandas():
    return pd.DataFrame(ROWS, columns=COLUMNS)


def as_polars():
    return pl.DataFrame(ROWS, schema=COLUMNS, orient="row")


def test_ties_are_ordered_by_count_and_movie_and_only_the_latest_rating_of_a_user_counts():
    assert rank_movies_by_rating(as_polars()).rows() == RANKING


def test_every_kind_of_dataframe_gives_the_same_ranking_in_its_own_kind():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_pandas = rank_movies_by_rating(as_pandas())
    assert isinstance(in_pandas, pd.DataFrame)
    assert list(in_pandas.itertuples(index=True, name=None)) == [(n, *row) for n, row in enumerate(RANKING)]
    assert str(in_pandas["num_ratings"].dtype) == "int64"
    lazy = rank_movies_by_rating(as_polars().lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().rows() == RANKING


@pytest.mark.parametrize(("min_ratings", "movies"), [(1, 5), (2, 5), (3, 4), (4, 1), (5, 0)])
def test_min_ratings_means_at_least(min_ratings, movies):
    assert len(rank_movies_by_rating(as_polars(), min_ratings)) == movies


def test_the_order_of_rows_does_not_matter():
    shuffled = as_polars().sample(fraction=1.0, shuffle=True, seed=1)
    assert rank_movies_by_rating(shuffled).rows() == RANKING


def test_no_ratings_give_an_empty_ranking_with_columns():
    ranking = rank_movies_by_rating(as_polars().clear())
    assert ranking.columns == ["movieId", "avg_rating", "num_ratings"]
    assert ranking.is_empty()


def test_bad_arguments_are_refused():
    for given in (0, True, 2.5, "3", None):
        with pytest.raises(ValueError, match=f"min_ratings is '?{given}'?: give a whole number of at least 1"):
            rank_movies_by_rating(as_polars(), given)
    with pytest.raises(ValueError, match="lack the columns rating, timestamp"):
        rank_movies_by_rating(as_polars().drop("rating", "timestamp"))
    with pytest.raises(ValueError, match="no ranking method 'median': use one of mean"):
        ranking_method("median")


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_ranking_in_parts_gives_the_same_result(rows_at_once):
    assert rank_large(as_polars().lazy(), rows_at_once=rows_at_once).rows() == RANKING
    assert rank_large(as_polars().lazy().clear(), rows_at_once=rows_at_once).is_empty()


def test_the_ranking_of_the_real_ratings_equals_that_of_plain_pandas(truth):
    plain = truth.groupby("movieId").agg(avg_rating=("rating", "mean"), num_ratings=("userId", "nunique"))
    plain = plain[plain["num_ratings"] >= 20].reset_index()
    plain = plain.sort_values(["avg_rating", "num_ratings", "movieId"], ascending=[False, False, True])
    ours = rank_movies_by_rating(truth, 20)
    assert len(ours) > 1000
    pd.testing.assert_frame_equal(ours, plain.reset_index(drop=True))


def test_titles_are_the_second_column_and_keep_the_order():
    movies = pl.LazyFrame({"movieId": [10, 20, 50], "title": ["Ten", "Twenty", "Fifty"], "year": [1, 2, 3]})
    titled = add_titles(rank_movies_by_rating(as_polars()).lazy(), movies).collect()
    assert titled.columns == ["movieId", "title", "avg_rating", "num_ratings"]
    assert titled["title"].to_list() == ["Fifty", "Twenty", "Ten", None]


def test_a_movie_with_two_titles_is_ranked_once():
    movies = pl.LazyFrame({"movieId": [10, 10], "title": ["Ten", "Dix"]})
    titled = add_titles(rank_movies_by_rating(as_polars()).lazy(), movies).collect()
    assert titled.filter(pl.col("movieId") == 10)["title"].to_list() == ["Ten"]


def test_no_ratings_give_an_empty_ranking_whatever_their_dtypes():
    columns = ["userId", "movieId", "rating", "timestamp"]
    for empty in (pd.DataFrame([], columns=columns), pd.DataFrame([], columns=columns, dtype="str")):
        assert rank_movies_by_rating(empty).empty
