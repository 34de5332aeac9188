"""``movielens train``: what it trains, checks and prints."""

from __future__ import annotations

import polars as pl
import pytest
from unit import brute_force_model as slow

from airflow_movielens.cli import main
from airflow_movielens.recommending import load_model, train
from airflow_movielens.recommending.registry import ModelRegistry

RATINGS = slow.awkward_ratings()


@pytest.fixture(autouse=True)
def ratings(tmp_path, monkeypatch):
    """Write ratings, and make their folder the current one."""
    monkeypatch.chdir(tmp_path)
    RATINGS.write_parquet("ratings.parquet")


def run(*arguments):
    return main(["train", "--input-path", "ratings.parquet", *arguments])


def test_a_model_is_saved(tmp_path, capsys):
    assert run("--output-path", "models/model.npz") == 0
    expected = train(RATINGS)
    assert load_model("models/model.npz").recommend(RATINGS).equals(expected.recommend(RATINGS))
    known = expected.trained_on
    movies = len(expected.catalogue.movies)
    summary = f"{movies} movies, by {known.ratings} ratings of {known.users} users"
    assert capsys.readouterr().out == f"{summary}, saved in models/model.npz\n"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["model.npz"]


def test_a_model_becomes_the_challenger_of_a_registry(capsys):
    assert run("--registry", "registry", "--by", "ada") == 0
    (event,) = ModelRegistry("registry").history()
    assert (event.action, event.by, event.challenger) == ("register", "ada", event.model)
    assert capsys.readouterr().out.endswith(f", registered as {event.model}\n")


def test_ratings_that_differ_too_much_from_those_of_the_champion_are_refused(capsys):
    registry = ModelRegistry("registry")
    registry.promote(registry.register(train(RATINGS), by="a test", reason="a test"), by="a test", reason="a test")
    RATINGS.with_columns(rating=pl.lit(0.5, pl.Float32)).write_parquet("ratings.parquet")
    assert run("--registry", "registry") == 1
    shown = capsys.readouterr().err
    assert "movielens train: drift: stop." in shown
    assert "movielens train: no model is trained on these ratings." in shown
    assert len(registry.history()) == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--output-path", "model.npz", "--by", "ada"], "give --by only with --registry"),
        (["--output-path", "s3://bucket/model.npz"], "the output s3://bucket/model.npz is no local file"),
        (["--output-path", "ratings.parquet"], "ratings.parquet is also an input"),
        (["--registry", "s3://bucket/models"], "the registry s3://bucket/models is a URL"),
    ],
)
def test_unusable_arguments_are_explained(arguments, problem, tmp_path, capsys):
    assert run(*arguments) == 2
    assert problem in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["ratings.parquet"]
