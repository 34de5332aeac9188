"""The choice of parameters: when the defaults are replaced, when they stay, and what the choice has seen."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import polars as pl
import pytest
from unit import brute_force_model as slow

from airflow_movielens.recommending import ModelParameters, load_model, train
from airflow_movielens.recommending.evaluation import evaluate, evaluate_new_users
from airflow_movielens.recommending.evaluation.parameter_choice import choose_parameters
from airflow_movielens.recommending.evaluation.protocols import default_cuts
from airflow_movielens.recommending.evaluation.recommenders import CHOSEN_AGAIN, TRAINED_AGAIN
from airflow_movielens.recommending.histories import latest_of

DAY = slow.DAY
MOVIES = 80


def fans(users):
    """Return ratings of users who each like the movies of one of eight kinds, in any order, and others by chance."""
    chance = np.random.default_rng(5)
    popular = -0.5 * np.log(np.arange(1, MOVIES + 1))
    rows = []
    for user in range(users):
        taste = 1.6 * (np.arange(MOVIES) % 8 == chance.integers(8))
        wanted = np.argsort(-(popular + taste + chance.gumbel(size=MOVIES)))[:22]
        rows += [
            (user, int(movie), 5.0, user * DAY // 4 + place) for place, movie in enumerate(chance.permutation(wanted))
        ]
    return pl.DataFrame(rows, schema=slow.SCHEMA, orient="row")


@pytest.fixture(scope="module")
def many():
    return fans(5_000)


@pytest.fixture(scope="module")
def model(many):
    return train(many)


@pytest.mark.slow
def test_better_parameters_replace_the_defaults(many, model):
    choice = model.parameter_choice
    assert choice["replaces_defaults"]
    assert choice["reason"] == "what was found is better for the users who decide"
    assert choice["difference"]["p"] < 0.05
    assert choice["found"] == asdict(model.parameters)
    assert model.parameters != ModelParameters()
    assert choice["users"] >= 600
    # It holds for later users too.
    cut = default_cuts(many)[-1]
    chosen, default = (evaluate_new_users(many, cut, parameters=each)["model"].mean()
                       for each in (model.parameters, ModelParameters()))  # fmt: skip
    assert chosen > default


@pytest.mark.slow
def test_the_model_is_that_of_the_chosen_parameters(many, model):
    assert np.array_equal(train(many, model.parameters).matrix, model.matrix)
    assert train(many, model.parameters).parameter_choice is None


@pytest.mark.slow
def test_the_record_of_the_choice_is_in_the_header(model, tmp_path):
    model.save(tmp_path / "model.npz")
    choice = load_model(tmp_path / "model.npz").parameter_choice
    assert choice == model.parameter_choice == json.loads(json.dumps(model.parameter_choice))
    # The defaults, then 3 other values of c, decay, λ₁, λ₂ and 2 of a; without λ₂ if c is 0.
    assert len(choice["tried"]) == 1 + 3 + 3 + 3 + 2 + (3 if model.parameters.later_likes else 0)


@pytest.mark.slow
def test_the_choice_knows_nothing_that_an_evaluation_recommends(many, model):
    first, *_ = default_cuts(many)
    before = many.filter(pl.col("timestamp") < first)
    assert model.parameter_choice["until"] == before["timestamp"].max()
    shuffled = many.with_columns(
        rating=pl.when(pl.col("timestamp") < first).then(pl.col("rating")).otherwise(pl.lit(0.5, pl.Float32))
    )
    assert choose_parameters(latest_of(shuffled)) == (model.parameters, model.parameter_choice)


@pytest.mark.slow
def test_the_figures_of_the_choice_are_those_of_an_evaluation(many, model):
    """The users who search are a random half of those who are evaluated."""
    choice = model.parameter_choice
    earlier = many.filter(pl.col("timestamp") <= choice["until"])
    default = evaluate_new_users(earlier, choice["cut"], parameters=ModelParameters())["model"].mean()
    assert choice["tried"][0]["ndcg"] == pytest.approx(default, abs=0.02)


@pytest.mark.slow
def test_parameters_that_know_the_future_are_chosen_again(many, model):
    late = {**model.parameter_choice, "until": int(many["timestamp"].max())}
    cut = default_cuts(many)[-1]
    for choice, how in ((model.parameter_choice, TRAINED_AGAIN), (late, CHOSEN_AGAIN)):
        found = evaluate(many, replace(model, parameter_choice=choice), cuts=[cut], known_likes=(1,))
        assert [each["model"] for each in found.models["challenger"]["judged"]] == [how]
        assert found.models["challenger"]["parameter_choice"] == choice


def test_few_users_do_not_replace_the_defaults():
    few = fans(300)
    parameters, choice = choose_parameters(latest_of(few))
    assert parameters == ModelParameters()
    assert choice == {
        "replaces_defaults": False,
        "reason": "the defaults: 40 new users are too few: 600 are needed",
        "users": 40,
    }
    assert train(few).parameter_choice == choice


def test_a_single_user_is_too_few():
    parameters, choice = choose_parameters(latest_of(fans(1)))
    assert parameters == ModelParameters()
    assert choice["reason"] == "the defaults: there are too few users to choose by"


def test_given_parameters_are_not_chosen():
    assert train(fans(30), ModelParameters()).parameter_choice is None


@pytest.mark.slow
def test_chance_does_not_replace_the_defaults():
    """Ratings at random: whatever was best for the users who search is no better for those who decide."""
    chance = np.random.default_rng(0)
    noise = fans(4_700).with_columns(movieId=pl.Series(chance.integers(MOVIES, size=22 * 4_700), dtype=pl.Int32))
    parameters, choice = choose_parameters(latest_of(noise))
    assert parameters == ModelParameters()
    assert not choice["replaces_defaults"]


@pytest.mark.slow
def test_the_sample_keeps_the_defaults(truth):
    model = train(truth)
    assert model.parameters == ModelParameters()
    assert not model.parameter_choice["replaces_defaults"]
