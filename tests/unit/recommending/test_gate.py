"""Whether a model may be promoted: the edges of the rules on figures made for them, and models of the sample."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from unit import brute_force_model as slow

from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.evaluation import evaluate
from airflow_movielens.recommending.gate import judge
from airflow_movielens.recommending.histories import latest_of

USERS = 400
CHANCE = np.random.default_rng(15)
TRENDING = CHANCE.uniform(0.3, 0.5, USERS)


def better_by(share, baseline=TRENDING, noise=0.02):
    """Return the figures of a recommender that is better by a share of the mean, with noise that adds up to nothing."""
    around = CHANCE.choice([-noise, noise], len(baseline))
    return baseline + share * baseline.mean() + around - around.mean()


def judged(challenger, champion=None, *, trending=TRENDING, shuffled=None):
    users = {"userId": range(len(trending)), "challenger": challenger, "trending": trending}
    users["shuffled"] = trending / 10 if shuffled is None else shuffled
    return judge(users if champion is None else users | {"champion": champion})


def test_a_model_better_than_trending_is_accepted_without_a_champion():
    decision = judged(better_by(0.05))
    assert decision.outcome == "accepted"
    assert decision.reason.startswith("For 400 new users, it is better than the trending movies: NDCG@10 0.4")
    assert "+5.0 %" in decision.reason
    assert "p < 0.0001" in decision.reason


def test_a_model_worse_than_trending_is_refused():
    decision = judged(better_by(-0.05))
    assert decision.outcome == "refused"
    assert "it is not better than the trending movies" in decision.reason
    assert judged(TRENDING).outcome == "refused"


def test_a_difference_that_may_be_chance_is_undecided():
    decision = judged(better_by(0.01, noise=0.1))
    assert decision.outcome == "undecided"
    assert decision.reason.startswith("400 new users are too few to tell that it is better than the trending movies")
    assert 0.01 <= decision.figures["trending"]["p"] < 0.5


@pytest.mark.parametrize(
    ("share", "noise", "outcome"),
    [
        (0.05, 0.02, "accepted"),
        (0.0, 0.0, "accepted"),
        (-0.02, 0.02, "accepted"),
        (-0.1, 0.02, "refused"),
        (-0.035, 0.001, "refused"),
        (0.0, 0.25, "undecided"),
        (-0.04, 0.3, "undecided"),
    ],
)
def test_a_model_must_also_be_as_good_as_the_champion(share, noise, outcome):
    champion = better_by(0.3)
    decision = judged(better_by(share, champion, noise), champion)
    assert decision.outcome == outcome
    assert {
        "accepted": "It is as good as the champion: ",
        "refused": "For 400 new users, it is worse than the champion: ",
        "undecided": "400 new users are too few to tell that it is as good as the champion: ",
    }[outcome] in decision.reason
    assert "; a loss of 3 % is allowed" in decision.reason
    assert decision.figures["champion"]["relative"] == pytest.approx(share, abs=1e-4)


def test_a_champion_against_itself_ties_and_is_accepted():
    champion = better_by(0.1)
    decision = judged(champion, champion)
    assert decision.outcome == "accepted"
    assert decision.figures["champion"] == {"relative": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_the_weightiest_reason_decides():
    """A model that may be better than the trending movies, but is worse than the champion, is refused."""
    maybe = better_by(0.01, noise=0.1)
    decision = judged(maybe, better_by(0.1, maybe))
    assert decision.outcome == "refused"
    assert "trending" not in decision.reason


def test_an_evaluation_that_lets_a_shuffled_model_pass_is_no_yardstick():
    decision = judged(better_by(0.2), shuffled=better_by(0.1))
    assert decision.outcome == "refused"
    assert decision.reason == (
        "The evaluation cannot tell good from bad: the model with its movies shuffled passes as better than the "
        "trending movies."
    )


@pytest.mark.parametrize("users", [0, 1, 29])
def test_few_users_are_undecided(users):
    decision = judged(np.ones(users), trending=TRENDING[:users])
    assert decision.outcome == "undecided"
    assert decision.reason == f"There are {users} new users with enough likes, and the gate needs at least 30."
    assert judged(np.ones(30), trending=TRENDING[:30]).outcome == "accepted"


def test_figures_without_spread_are_judged_too():
    nothing = np.zeros(USERS)
    assert judged(nothing, nothing, trending=nothing).outcome == "refused"
    better = judged(nothing + 0.5, nothing, trending=nothing)
    assert better.outcome == "accepted"
    json.dumps(better.figures, allow_nan=False)


def test_the_figures_are_compact_and_the_same_each_time():
    challenger, champion = better_by(0.05), better_by(0.04)
    decision = judged(challenger, champion)
    assert decision == judged(challenger.tolist(), champion.tolist())
    assert decision.figures.keys() == {"users", "ndcg", "trending", "shuffled", "champion"}
    assert decision.figures["ndcg"]["challenger"] == pytest.approx(challenger.mean(), abs=1e-5)
    assert len(json.dumps(decision.figures, allow_nan=False)) < 500


def test_the_bounds_are_those_of_a_normal_mean():
    champion = np.full(USERS, 0.5)
    challenger = 0.5 + CHANCE.normal(0, 0.1, USERS)
    found = judged(challenger, champion).figures["champion"]
    error = challenger.std() / np.sqrt(USERS) / 0.5
    assert found["low"] == pytest.approx(found["relative"] - 1.645 * error, abs=error / 8)
    assert found["high"] == pytest.approx(found["relative"] + 1.645 * error, abs=error / 8)


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ({"challenger": [0.5], "trending": [0.5]}, "the evaluation lacks the figures of shuffled: evaluate again"),
        ({"challenger": [0.5], "trending": [], "shuffled": [0.1]}, "for different users: evaluate again"),
        ({"challenger": [0.5], "trending": [float("nan")], "shuffled": [0.1]}, "an NDCG of trending that is not from 0 to 1"),
        ({"challenger": [5.0], "trending": [0.5], "shuffled": [0.1]}, "an NDCG of challenger that is not from 0 to 1"),
    ],
)  # fmt: skip
def test_figures_that_cannot_be_judged_are_named(users, message):
    with pytest.raises(ValueError, match=message):
        judge(users)


CUT = int(datetime(2005, 3, 10, 2, 30, 28, tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def sample(truth):
    """Return the ratings of the sample."""
    return pl.DataFrame({name: truth[name].to_numpy() for name in slow.SCHEMA}, schema=slow.SCHEMA)


@pytest.fixture(scope="module")
def good(sample):
    """Return a model trained on the ratings before the cut."""
    return train(sample.filter(pl.col("timestamp") < CUT), ModelParameters())


def evaluated(sample, model, champion):
    """Return the figures of the users who are new at the cut."""
    return evaluate(sample, model, champion, cuts=[CUT]).gate_users


def without_champion(users):
    return {name: figures for name, figures in users.items() if name != "champion"}


@pytest.mark.slow
def test_a_good_model_is_accepted_as_the_first_one_and_ties_with_itself(sample, good):
    users = evaluated(sample, good, good)
    decision = judge(users)
    assert decision.outcome == judge(without_champion(users)).outcome == "accepted"
    assert decision.figures["users"] == 217
    assert decision.figures["ndcg"]["challenger"] >= 0.405
    assert decision.figures["trending"]["p"] < 0.01
    assert decision.figures["champion"] == {"relative": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}
    assert decision.figures["shuffled"]["high"] < -0.7


@pytest.mark.slow
def test_a_model_trained_on_shuffled_movies_is_refused(sample):
    before = sample.filter(pl.col("timestamp") < CUT)
    movies = before["movieId"].unique().sort()
    shuffled = movies.sample(fraction=1, shuffle=True, seed=1)
    model = train(before.with_columns(pl.col("movieId").replace_strict(movies, shuffled)), ModelParameters())
    decision = judge(evaluated(sample, model, None))
    assert decision.outcome == "refused"
    assert decision.figures["trending"]["high"] < -0.9


@pytest.mark.slow
def test_the_champion_refuses_a_model_trained_on_shuffled_rating_values(sample, good):
    """What people rate says much of what they like, so such a model is near the trending movies."""
    before = latest_of(sample.filter(pl.col("timestamp") < CUT))
    model = train(before.with_columns(pl.col("rating").shuffle(seed=2).over("userId")), ModelParameters())
    users = evaluated(sample, model, good)
    decision = judge(users)
    assert decision.outcome == "refused"
    assert decision.figures["champion"]["high"] < 0
    assert "it is worse than the champion" in decision.reason
    assert judge(without_champion(users)).outcome != "accepted"
