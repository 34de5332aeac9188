from __future__ import annotations

import warnings

import pandas as pd
import polars as pl
import pytest
from unit.ranking_engines import AS_OF, awkward_ratings

from airflow_movielens.ranking import (
    METHODS,
    RankingOptions,
    add_titles,
    rank_large,
    rank_movies,
    rank_movies_by_rating,
)

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


@pytest.mark.parametrize("rows_at_once", [700, 16_000_000])
@pytest.mark.parametrize("method", [method for method in METHODS if method != "mean"])
def test_files_are_ranked_as_dataframes_are(method, rows_at_once):
    ratings = awkward_ratings()
    for as_of in (None, AS_OF):
        ranking = rank_large(ratings.lazy(), RankingOptions(method, as_of=as_of), rows_at_once=rows_at_once)
        assert ranking.equals(rank_movies(ratings, method, as_of=as_of))
    assert rank_large(ratings.clear().lazy(), RankingOptions(method), rows_at_once=rows_at_once).is_empty()


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_the_mean_of_files_is_that_of_dataframes(rows_at_once):
    assert rank_large(as_polars().lazy(), RankingOptions("mean"), rows_at_once=rows_at_once).rows() == RANKING


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


MOVIES = pl.DataFrame(
    {
        "movieId": [10, 20, 50],
        "title": ["Ten", None, "Fifty"],
        "year": [2010, 2020, None],
        "genres": ["Drama|War", "Drama", None],
    }
)


def test_titles_years_and_genres_follow_the_movie():
    ranking = rank_movies(as_polars(), "popular", movies=MOVIES)
    assert ranking.columns == [
        "rank", "movieId", "title", "year", "genres", "score", "num_ratings", "like_share"
    ]  # fmt: skip
    assert ranking.row(0) == (1, 20, None, 2020, "Drama", 4.0, 4, 1.0)
    assert ranking["movieId"].to_list() == [20, 10, 30, 50, 40]


def test_each_genre_has_a_ranking_of_its_own():
    ranking = rank_movies(as_polars(), "popular", by="genre", movies=MOVIES)
    assert ranking.select("genre", "rank", "movieId").rows() == [("Drama", 1, 20), ("Drama", 2, 10), ("War", 1, 10)]
    with pytest.raises(ValueError, match="needs movies with the column genres"):
        rank_movies(as_polars(), by="genre", movies=MOVIES.drop("genres"))


def test_movement_is_the_difference_to_an_earlier_ranking():
    earlier = rank_movies(as_polars().filter(pl.col("movieId") < 50), "popular", min_ratings=3)
    assert earlier["movieId"].to_list() == [20, 10, 30]
    later = rank_movies(as_polars().filter(pl.col("userId") > 1), "popular", compare_to=earlier)
    assert later.select("movieId", "rank", "previous_rank", "rank_change", "is_new").rows() == [
        (20, 1, 1, 0, False),
        (10, 2, 2, 0, False),
        (30, 3, 3, 0, False),
        (50, 4, None, None, True),
        (40, 5, None, None, True),
    ]
    falls = rank_movies(as_polars(), "popular", compare_to=earlier.reverse().with_columns(rank=pl.Series([1, 2, 3])))
    assert falls["rank_change"].to_list() == [2, 0, -2, None, None]
    with pytest.raises(ValueError, match="to compare to lacks the columns rank"):
        rank_movies(as_polars(), compare_to=earlier.drop("rank"))


def test_pandas_gets_whole_numbers_and_missing_values():
    movies = MOVIES.to_dict(as_series=False)
    earlier = rank_movies(as_pandas(), "popular", min_ratings=4)
    ranking = rank_movies(as_pandas(), "popular", movies=pd.DataFrame(movies), compare_to=earlier)
    assert ranking["num_ratings"].dtype == "int64"
    assert ranking["previous_rank"].dtype == "Int64"
    assert ranking["previous_rank"].isna().tolist() == [False, True, True, True, True]
    assert ranking["title"].tolist()[1] == "Ten"


def test_declared_unique_ratings_are_ranked_alike():
    unique = as_polars().unique(["userId", "movieId"])
    for method in METHODS:
        assert rank_movies(unique, method, unique=True).equals(rank_movies(unique, method))


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_may_be_times(zone):
    times = pl.from_epoch("timestamp", time_unit="s").dt.cast_time_unit("ms")
    times = times if zone is None else times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    for method in METHODS:
        expected = rank_movies(as_polars(), method)
        assert rank_movies(as_polars().with_columns(times), method).equals(expected)
        in_pandas = as_pandas()
        in_pandas["timestamp"] = pd.to_datetime(in_pandas["timestamp"], unit="s", utc=zone is not None)
        if zone is not None:
            in_pandas["timestamp"] = in_pandas["timestamp"].dt.tz_convert(zone)
        assert rank_movies(in_pandas, method)["score"].tolist() == expected["score"].to_list()


def test_pandas_without_rows_has_no_dtypes():
    for empty in (pd.DataFrame([], columns=COLUMNS), pd.DataFrame([], columns=COLUMNS, dtype="str")):
        assert rank_movies(empty).columns.tolist() == ["rank", "movieId", "score", "num_ratings", "num_likes"]
        assert rank_movies(empty).empty
