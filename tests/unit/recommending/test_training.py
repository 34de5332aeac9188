"""The model, compared with a slow computation of the same formulas."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from unit import brute_force_model as slow

from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.histories import histories_of, latest_of
from airflow_movielens.recommending.matrices import liked_together
from airflow_movielens.recommending.parameters import movies_that_fit

RATINGS = slow.awkward_ratings()
MIN_LIKES = 4
MOVIES = slow.catalogue(RATINGS, MIN_LIKES)


def trained(**parameters):
    return train(RATINGS, ModelParameters(**{"min_likes": MIN_LIKES, **parameters}))


def test_the_awkward_ratings_are_awkward():
    rows = RATINGS.select("userId", "movieId")
    assert rows.is_duplicated().any()
    assert RATINGS.select("userId", "timestamp").is_duplicated().any()
    assert 8 <= len(MOVIES) < RATINGS["movieId"].n_unique()
    assert max(sum(r >= 4 for _, r in rows) for rows in slow.inside(RATINGS, MOVIES).values()) > 10


def test_the_catalogue_has_the_movies_with_enough_likes():
    catalogue = trained().catalogue
    assert catalogue.movies.tolist() == MOVIES
    assert set(catalogue.other_movies.tolist()) == set(RATINGS["movieId"].to_list()) - set(MOVIES)


@pytest.mark.parametrize("regularisation", [0.5, 20.0, 800.0])
def test_which_movies_are_liked_together(regularisation):
    matrix = trained(lambda_1=regularisation, later_likes=0.0).matrix
    expected = slow.b_1(RATINGS, MOVIES, regularisation)
    assert np.abs(expected).max() > 5e-4
    np.testing.assert_allclose(matrix, expected, rtol=1e-5, atol=1e-6)
    assert not matrix.diagonal().any()


@pytest.mark.parametrize(("regularisation", "decay"), [(0.5, 0.05), (20.0, 0.0), (800.0, 0.3)])
def test_which_movies_are_liked_later(regularisation, decay):
    together = slow.b_1(RATINGS, MOVIES, 10.0)
    later = slow.b_2(RATINGS, MOVIES, regularisation, decay)
    matrix = trained(lambda_1=10.0, lambda_2=regularisation, later_likes=0.4, decay=decay).matrix
    np.testing.assert_allclose(matrix, together + 0.4 * later, rtol=1e-5, atol=1e-6)
    assert later.diagonal().any()


@pytest.mark.parametrize("speed", [1, 20, 10_000])
def test_the_trend_of_all_movies(speed):
    """With the longest half-life, with that of the data, and with the shortest."""
    ratings = RATINGS.with_columns(pl.col("timestamp") // speed)
    catalogue = train(ratings, ModelParameters(min_likes=MIN_LIKES)).catalogue
    expected = slow.trends(ratings, slow.catalogue(ratings, MIN_LIKES))
    found = dict(zip(catalogue.all_movies.tolist(), [*catalogue.trend, *catalogue.other_trend], strict=True))
    assert found == pytest.approx(expected, rel=1e-6)
    assert catalogue.trend.max() == 1
    others = catalogue.other_movies.tolist()
    assert others == sorted(others, key=lambda movie: (-found[movie], movie))
    assert 0 < len({found[movie] for movie in others}) < len(others)


def test_blocks_do_not_change_the_matrix(monkeypatch):
    whole = trained(lambda_1=10.0).matrix
    monkeypatch.setattr("airflow_movielens.recommending.matrices.COLUMNS_AT_ONCE", 3)
    np.testing.assert_allclose(trained(lambda_1=10.0).matrix, whole, rtol=1e-6)


def test_the_floor_of_likes_rises_if_the_movies_are_too_many():
    likes = latest_of(RATINGS).filter(pl.col("rating") >= 4)["movieId"].value_counts().sort("count", descending=True)
    for limit in range(1, len(MOVIES)):
        catalogue = trained(max_movies=limit).catalogue
        floor = likes["count"][limit]
        assert set(catalogue.movies.tolist()) == set(likes.filter(pl.col("count") > floor)["movieId"].to_list())
        assert len(catalogue.movies) <= limit


def test_the_matrix_fits_into_a_quarter_of_the_memory():
    assert 1_000 < movies_that_fit() < 1_000_000


def test_the_order_of_rows_does_not_matter():
    shuffled = train(RATINGS.sample(fraction=1, shuffle=True, seed=1), ModelParameters(min_likes=MIN_LIKES))
    np.testing.assert_array_equal(shuffled.matrix, trained().matrix)
    np.testing.assert_array_equal(shuffled.catalogue.all_movies, trained().catalogue.all_movies)


def test_ease_is_the_same_formula_for_likes():
    histories = histories_of(latest_of(RATINGS), np.array(MOVIES, np.int32))
    from airflow_movielens.recommending.histories import vectors

    likes = vectors(histories, histories.are_likes.astype(float), len(MOVIES))
    dense = likes.toarray()
    inverse = np.linalg.inv(dense.T @ dense + 4.0 * np.eye(len(MOVIES)))
    expected = -inverse / inverse.diagonal()
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(liked_together(likes, 4.0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rating", [5.0, 0.5])
def test_a_single_rating_is_enough_to_train(rating):
    one = RATINGS.head(1).with_columns(rating=pl.lit(rating, pl.Float32))
    model = train(one)
    assert model.catalogue.movies.tolist() == []
    found = model.recommend(one.clear(), users=[7])
    assert found.select("userId", "rank", "movieId").rows() == [(7, 1, one["movieId"][0])]


def test_without_ratings_there_is_no_model():
    with pytest.raises(ValueError, match="there are no ratings to train a model on"):
        train(RATINGS.clear())


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"lambda_1": 0}, "lambda_1 is 0: give a number above 0"),
        ({"lambda_2": float("nan")}, "lambda_2 is nan: give a number above 0"),
        ({"decay": -0.1}, r"decay is -0\.1: give a number of at least 0"),
        ({"trend": True}, "trend is True: give a number of at least 0"),
        ({"min_likes": 2.5}, r"min_likes is 2\.5: give a whole number of at least 1"),
        ({"max_movies": 0}, "max_movies is 0: give a whole number of at least 1"),
    ],
)
def test_bad_parameters_are_refused(parameters, said):
    with pytest.raises(ValueError, match=said):
        ModelParameters(**parameters)
