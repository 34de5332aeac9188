"""``movielens evaluate``: what it compares, prints and writes."""

from __future__ import annotations

import polars as pl
import pytest
from unit import brute_force_model as slow

from airflow_movielens.cli import main
from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.evaluation import Evaluation
from airflow_movielens.recommending.registry import ModelRegistry

CUT = 1_000 * slow.DAY
RATINGS = pl.DataFrame(
    [
        (user, (user * 7 + place * 3) % 40, 4.0 + (user + place) % 3 / 2, (0 if user < 40 else CUT) + place)
        for user in range(60)
        for place in range(20)
    ],
    schema=slow.SCHEMA,
    orient="row",
)
ARGUMENTS = ["--input-path", "ratings.parquet", "--cut", "1972-09-27", "--output-path", "report"]


@pytest.fixture
def model(tmp_path, monkeypatch):
    """Write ratings and a model, and make their folder the current one."""
    monkeypatch.chdir(tmp_path)
    RATINGS.write_parquet("ratings.parquet")
    model = train(RATINGS, ModelParameters(lambda_1=5.0))
    model.save("model.npz")
    return model


def test_a_model_is_compared_with_baselines(model, capsys):
    assert main(["evaluate", "--model", "model.npz", *ARGUMENTS]) == 0
    shown = capsys.readouterr().out
    evaluation = Evaluation.load("report")
    assert "20 new users, 1 cuts" in shown
    (row,) = [line for line in shown.splitlines() if line.strip().startswith("this model  ")]
    assert row.split()[2:] == [
        f"{pl.Series(evaluation.gate_users['challenger']).mean():.3f}",
        str(evaluation.new_users[-1]["figures"]["challenger"]["coverage"]),
    ]
    assert "For new users, this model" in shown
    assert shown.endswith("Report: report/evaluation.html\n")
    assert evaluation.cuts == ["1972-09-27T00:00:00Z"]
    assert "champion" not in evaluation.recommenders


def test_the_challenger_of_a_registry_is_compared_with_its_champion(model, capsys):
    registry = ModelRegistry("registry")
    champion = registry.register(train(RATINGS.head(500), ModelParameters(lambda_1=9.0)), by="a test", reason="a test")
    registry.promote(champion, by="a test", reason="a test")
    challenger = registry.register(model, by="a test", reason="a test")
    assert main(["evaluate", "--registry", "registry", *ARGUMENTS]) == 0
    models = Evaluation.load("report").models
    assert (models["challenger"]["version"], models["champion"]["version"]) == (challenger, champion)
    assert "the champion" in capsys.readouterr().out


def test_two_files_are_compared(model):
    assert main(["evaluate", "--model", "model.npz", "--champion", "model.npz", *ARGUMENTS]) == 0
    gate = Evaluation.load("report").gate_users
    assert gate["champion"] == gate["challenger"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--registry", "nothing"], 2, "the registry nothing has no challenger"),
        (["--registry", "r", "--champion", "model.npz"], 2, "give --champion only with --model"),
        (["--model", "model.npz", "--cut", "soon"], 2, "the cut is 'soon': give a day, a time such as"),
        (["--model", "nowhere.npz"], 1, "nowhere.npz"),
        (["--model", "ratings.parquet"], 1, "holds no model"),
        (["--model", "model.npz", "--cut", "1969-12-31"], 1, "no rating is before the cut -86400"),
    ],
)
def test_mistakes_are_explained(arguments, status, said, model, capsys):
    assert main(["evaluate", *arguments, *ARGUMENTS]) == status
    assert said in capsys.readouterr().err
