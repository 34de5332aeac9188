"""The ranking methods: their formulas by hand, their parameters, and what they are worth as recommendations."""

from __future__ import annotations

import math

import polars as pl
import pytest
from unit.ranking_quality import mean_ndcg

from airflow_movielens.ranking import RankingOptions, rank_movies
from airflow_movielens.ranking.methods import damped_mean, half_life_of, many_ratings, mean_rating, wilson_interval

DAY = 86_400


def ratings(*rows):
    return pl.DataFrame(rows, schema=["userId", "movieId", "rating", "timestamp"], orient="row")


RATINGS = ratings(
    (1, 10, 5.0, 0), (2, 10, 5.0, 0),
    (1, 20, 4.0, 100 * DAY), (2, 20, 4.0, 100 * DAY), (3, 20, 4.5, 100 * DAY), (4, 20, 2.0, 100 * DAY),
    (1, 30, 0.5, 90 * DAY),
)  # fmt: skip
ALL_MEAN = (5.0 + 5.0 + 4.0 + 4.0 + 4.5 + 2.0 + 0.5) / 7


def scores(method, **options):
    ranking = rank_movies(RATINGS, method, **options)
    return dict(zip(ranking["movieId"], ranking["score"], strict=True))


def test_the_mean_damped_mean_and_weighted_rating_by_hand():
    assert scores("mean", min_ratings=1) == {10: 5.0, 20: 3.625, 30: 0.5}
    assert scores("mean") == {20: 3.625}
    assert scores("bayesian", k=3) == {
        10: round((10 + 3 * ALL_MEAN) / 5, 6),
        20: round((14.5 + 3 * ALL_MEAN) / 7, 6),
        30: round((0.5 + 3 * ALL_MEAN) / 4, 6),
    }
    assert scores("bayesian")[10] == round((10 + 100 * ALL_MEAN) / 102, 6)
    assert scores("imdb") == scores("bayesian", k=4)
    assert scores("imdb", m=3) == scores("bayesian", k=3)


def test_the_lower_bound_of_wilson_by_hand():
    # Newcombe (1998), table I: 81 of 263, 95 %.
    lower, upper = wilson_interval(81, 263, 0.95)
    assert (round(lower, 4), round(upper, 4)) == (0.2553, 0.3662)
    assert wilson_interval(0, 20, 0.95)[0] == pytest.approx(0, abs=1e-12)
    ranking = rank_movies(RATINGS, "wilson")
    assert ranking.columns == ["rank", "movieId", "score", "num_ratings", "like_share", "upper_bound"]
    assert ranking.row(0) == (1, 10, pytest.approx(0.342380, abs=1e-6), 2, 1.0, pytest.approx(1.0))


def test_likes_and_decayed_likes_by_hand():
    assert scores("popular") == {20: 3, 10: 2, 30: 0}
    assert scores("trending", half_life=50) == {20: 3, 10: 0.5, 30: 0}
    # Five likes in 100 days: the longest half-life.
    assert scores("trending")[10] == round(2 * 2 ** (-100 / 365), 6)
    assert scores("trending", half_life=50, as_of=50 * DAY) == {10: 1.0}
    assert scores("trending", half_life=50, as_of=150 * DAY) == {20: 1.5, 10: 0.25, 30: 0}


def test_the_half_life_follows_the_density_of_likes():
    assert half_life_of(0, 100) == 365
    assert half_life_of(1_000_000, 100) == 7
    assert half_life_of(1_000, 10) == pytest.approx(5_000 * math.log(2) / 100)
    assert half_life_of(5, 0) == 7


def test_many_ratings_is_the_smallest_count_that_99_percent_do_not_exceed():
    assert many_ratings([]) == 0
    assert many_ratings([7]) == 7
    assert many_ratings(list(range(1, 101))) == 99
    assert many_ratings([1] * 98 + [5, 9]) == 5
    assert many_ratings([1] * 700 + [5] * 7) == 1


def test_formulas_take_numbers_and_columns():
    frame = pl.DataFrame({"total": [14.5], "count": [4]})
    assert frame.select(damped_mean(pl.col("total"), pl.col("count"), 3.0, 3)).item() == damped_mean(14.5, 4, 3.0, 3)
    assert frame.select(mean_rating(pl.col("total"), pl.col("count"))).item() == mean_rating(14.5, 4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"method": "median"},
            "no ranking method 'median': use one of mean, bayesian, wilson, imdb, popular, trending",
        ),
        ({"method": None}, "no ranking method None"),
        ({"method": "bayesian", "parameters": {"k": -1}}, "k is -1: give a number of at least 0"),
        ({"method": "bayesian", "parameters": {"k": math.nan}}, "k is nan"),
        ({"method": "bayesian", "parameters": {"k": True}}, "k is True"),
        ({"method": "trending", "parameters": {"half_life": 0}}, "half_life is 0: give a number of days above 0"),
        ({"method": "wilson", "parameters": {"confidence": 1}}, "confidence is 1: give a number between 0 and 1"),
        ({"method": "imdb", "parameters": {"k": 5}}, "the ranking method imdb has no parameter k: it takes m"),
        (
            {"method": "mean", "parameters": {"k": 5}},
            "the ranking method mean has no parameter k: it takes no parameter",
        ),
        ({"min_ratings": 0}, "min_ratings is 0"),
        ({"by": "year"}, "by is 'year': give 'genre'"),
        ({"as_of": "2000-11-20"}, "as_of is '2000-11-20': give a whole number of Unix seconds"),
    ],
)
def test_bad_options_are_refused_before_anything_is_read(options, said):
    with pytest.raises(ValueError, match=said):
        RankingOptions(**options)


# The mean of at least three ratings is the chapter's; as a recommendation it is worth almost nothing.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "lowest", "highest"),
    [
        ("trending", 0.134, 1),
        ("bayesian", 0.105, 1),
        pytest.param("imdb", 0.105, 1, marks=pytest.mark.long),
        pytest.param("popular", 0.11, 1, marks=pytest.mark.long),
        pytest.param("wilson", 0.04, 0.06, marks=pytest.mark.long),
        pytest.param("mean", 0, 0.01, marks=pytest.mark.long),
    ],
)
def test_the_worth_of_a_method_as_a_recommendation(method, lowest, highest, truth):
    assert lowest <= mean_ndcg(truth, method) <= highest
