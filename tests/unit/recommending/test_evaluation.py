"""How good recommendations to new users are: the figures on the sample, by hand, and without leaks."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from unit import brute_force_model as slow
from unit.brute_force_figures import ndcg

from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.evaluation import compare, evaluate, evaluate_new_users
from airflow_movielens.recommending.evaluation.figures import figures_of_users

CUT = int(datetime(2005, 3, 10, 2, 30, 28, tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def figures(truth):
    return evaluate_new_users(truth, CUT)


@pytest.mark.slow
@pytest.mark.parametrize(("known_likes", "lowest"), [(1, 0.435), (3, 0.425), (10, 0.355)])
def test_the_worth_of_recommendations_to_new_users(known_likes, lowest, figures):
    found = figures.filter(pl.col("known_likes") == known_likes)
    assert len(found) == 217
    assert found["model"].mean() >= lowest


@pytest.mark.slow
@pytest.mark.parametrize("known_likes", [1, 3])
def test_recommendations_are_better_than_what_is_trending(known_likes, figures):
    found = figures.filter(pl.col("known_likes") == known_likes)
    comparison = compare(found["model"], found["trending"])
    assert comparison.p < 0.05
    assert comparison.low < comparison.mean < comparison.high


@pytest.mark.slow
def test_the_baselines_have_their_known_figures(figures):
    """They depend on nothing of ours but the protocol."""
    ten = figures.filter(pl.col("known_likes") == 10)
    assert ten["ease"].mean() == pytest.approx(0.342, abs=0.002)
    assert ten["trending"].mean() == pytest.approx(0.335, abs=0.002)


def found_figures(recommended, relevant):
    """Return NDCG and recall of one user."""
    lists = pl.DataFrame({"movieId": recommended}).with_columns(userId=7, rank=pl.int_range(1, pl.len() + 1))
    frame = figures_of_users(lists, pl.DataFrame({"movieId": relevant}).with_columns(userId=7))
    assert frame["userId"].to_list() == [7]
    return frame["ndcg"][0], frame["recall"][0]


def test_ndcg_and_recall_by_hand():
    gains = [1 / math.log2(place + 1) for place in range(1, 11)]
    assert found_figures([5, 6, 7], [5, 6, 7]) == (pytest.approx(1), 1)
    expected = (gains[1] + gains[3]) / sum(gains[:3])
    assert found_figures([1, 5, 2, 6], [5, 6, 9]) == (pytest.approx(expected), pytest.approx(2 / 3))
    assert found_figures(list(range(10)), list(range(100))) == (pytest.approx(1), pytest.approx(0.1))
    assert found_figures([1, 2], [3]) == (0, 0)


@pytest.mark.slow
def test_the_default_cuts_tell_the_model_from_what_is_trending(truth):
    evaluation = evaluate(truth, train(truth, ModelParameters()))
    assert all(each["users"] > 100 for each in evaluation.new_users)
    gate = pl.DataFrame(evaluation.gate_users)
    assert len(gate) > 300
    assert compare(gate["challenger"], gate["trending"]).p < 0.01
    assert compare(gate["shuffled"], gate["trending"]).p > 0.99


MOVIES = list(range(10, 60))
SCHEMA = slow.SCHEMA
PARAMETERS = ModelParameters(lambda_1=5.0, lambda_2=5.0)


def story(chance):
    """Return ratings before the second 10,000 of users 0 to 79, and after it of new users 100 to 119."""
    rows = []
    for user in [*range(80), *range(100, 120)]:
        start = 0 if user < 80 else 10_000
        movies = chance.permutation(MOVIES)[:25]
        rows += [(user, int(movie), float(chance.choice([2, 4, 4.5, 5])), start + place)
                 for place, movie in enumerate(movies)]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def evaluated(ratings, known_likes=(1, 3)):
    return evaluate_new_users(ratings, 10_000, known_likes, PARAMETERS)


def test_only_new_users_with_enough_likes_are_evaluated():
    ratings = story(np.random.default_rng(3))
    returning = pl.DataFrame([(3, movie, 5.0, 20_000) for movie in MOVIES], schema=SCHEMA, orient="row")
    likes = ratings.filter(pl.col("rating") >= 4, pl.col("userId") >= 100)["userId"].value_counts()
    expected = sorted(likes.filter(pl.col("count") >= 15)["userId"].to_list())
    found = evaluated(pl.concat([ratings, returning]))
    assert 3 < len(expected) < 20
    assert found["userId"].to_list() == expected * 2
    assert evaluated(ratings, [13])["userId"].to_list() == sorted(
        likes.filter(pl.col("count") >= 18)["userId"].to_list()
    )


def test_the_figures_are_those_of_the_recommendations():
    ratings = story(np.random.default_rng(3))
    model = train(ratings.filter(pl.col("timestamp") < 10_000), PARAMETERS)
    catalogue = set(model.catalogue.movies.tolist())
    for known_likes, user, figure in evaluated(ratings).select("known_likes", "userId", "model").iter_rows():
        rows = ratings.filter(pl.col("userId") == user).sort("timestamp", "movieId")
        likes = rows.filter(pl.col("rating") >= 4, pl.col("movieId").is_in(catalogue))
        last = likes["timestamp"][known_likes - 1]
        recommended = model.recommend(rows.filter(pl.col("timestamp") <= last))["movieId"]
        relevant = likes.filter(pl.col("timestamp") > last)["movieId"]
        assert figure == pytest.approx(ndcg(recommended.to_list(), relevant.to_list()))


def test_nothing_after_the_cut_reaches_the_model():
    """Ratings after the cut by users who are not new would change catalogue, trend and matrix if they leaked."""
    ratings = story(np.random.default_rng(3))
    leak = pl.DataFrame(
        [(user, movie, 5.0, 10_000 + user) for user in range(80) for movie in (*MOVIES[:8], 900)],
        schema=SCHEMA, orient="row",
    )  # fmt: skip
    assert evaluated(pl.concat([ratings, leak])).equals(evaluated(ratings))
    planted = leak.with_columns(timestamp=pl.col("timestamp") - 10_000)
    assert not evaluated(pl.concat([ratings, planted])).equals(evaluated(ratings))


def test_later_ratings_of_a_user_do_not_reach_the_recommendations():
    """What a user likes after the known likes decides what is relevant, and nothing else."""
    ratings = story(np.random.default_rng(3))
    longer = pl.DataFrame([(100, 5_000, 5.0, 90_000), (100, 5_001, 0.5, 90_001)], schema=SCHEMA, orient="row")
    assert evaluated(pl.concat([ratings, longer])).equals(evaluated(ratings))


def test_the_interval_of_a_difference():
    chance = np.random.default_rng(1)
    first = pl.Series(chance.random(400))
    comparison = compare(first, first - pl.Series(chance.normal(0.1, 0.5, 400)))
    assert comparison.mean == pytest.approx(0.1, abs=0.06)
    assert comparison.high - comparison.low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)
    same = compare(first, first)
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert compare(first, first) == compare(first, first)


def test_a_cut_before_all_ratings_is_refused():
    with pytest.raises(ValueError, match="no rating is before the cut 0: give a later one"):
        evaluate_new_users(story(np.random.default_rng(3)), 0)
