"""``movielens models``: what it lists, promotes and rolls back."""

from __future__ import annotations

import getpass
import re
import socket
from dataclasses import replace

import pytest
from unit import brute_force_model as slow
from unit.command_line import COMMAND, in_a_terminal

from airflow_movielens.cli import main
from airflow_movielens.recommending import ModelParameters, train
from airflow_movielens.recommending.gate import judge
from airflow_movielens.recommending.registry import Aliases, ModelRegistry

MODEL = train(slow.awkward_ratings(), ModelParameters(min_likes=4))
WHY = ["--reason", "it is time"]


@pytest.fixture
def registry(tmp_path):
    """Make a registry with two models."""
    registry = ModelRegistry(tmp_path / "registry")
    for trend in (0.1, 0.2):
        registry.register(replace(MODEL, parameters=ModelParameters(trend=trend)), by="dag.train", reason="trained")
    return registry


def run(registry, action, *arguments):
    return main(["models", action, *arguments, "--registry", str(registry.folder)])


def rows(text):
    """Return the cells of the printed rows."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return [line for line in lines if any(re.fullmatch(r"\d{8}T\d{6}Z-\w{8}", cell) for cell in line)]


def test_a_model_is_promoted_and_rolled_back(registry, capsys):
    first, second = (version for version, _ in registry.models())
    assert run(registry, "promote", first, *WHY, "--by", "ada") == 0
    assert capsys.readouterr().out == f"{first} is the champion\n"
    assert run(registry, "promote", "challenger", *WHY) == 0
    assert capsys.readouterr().out == f"{second} is the champion; the previous one is {first}\n"
    assert run(registry, "rollback", *WHY) == 0
    assert capsys.readouterr().out == f"{first} is the champion; the previous one is {second}\n"
    assert registry.aliases() == Aliases(first, None, second)
    me = f"{getpass.getuser()}@{socket.gethostname()}"
    assert [(event.by, event.reason) for event in registry.history()[2:]] == [
        ("ada", "it is time"), (me, "it is time"), (me, "it is time"),
    ]  # fmt: skip


def test_the_list_shows_what_each_model_is_and_why(registry, capsys):
    first, second = (version for version, _ in registry.models())
    trending = [0.4] * 50
    decision = judge({"challenger": [0.5] * 50, "trending": trending, "shuffled": [0.0] * 50, "champion": [0.4] * 50})
    registry.promote(first, by="ada", reason="a good start", figures=decision.figures)
    registry.refuse(
        second, by="dag.promote", reason="not good enough", figures={"p": 0.5, "evaluation": {"path": "e.json"}}
    )
    (registry.path_of(second)).unlink()
    assert run(registry, "list") == 0
    when = [event.at[:16].replace("T", " ") for event in registry.history()[2:]]
    assert rows(capsys.readouterr().out) == [
        ["challenger", second, "the file is missing or damaged", f"refused {when[1]} by dag.promote", "p 0.5", "not good enough"],
        [
            "champion", first, f"{MODEL.trained_on.ratings} ratings until 1970-07-04", f"promoted {when[0]} by ada",
            "NDCG@10 0.500 of 50 users, trending +25.0 %, champion +25.0 %", "a good start",
        ],
    ]  # fmt: skip


def test_an_empty_registry_has_no_models(tmp_path, capsys):
    assert run(ModelRegistry(tmp_path / "none"), "list") == 0
    assert capsys.readouterr().out == f"the registry {tmp_path / 'none'} has no models\n"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["promote", "latest", *WHY], 1, "has no model 'latest': give a version, champion, challenger or previous"),
        (["rollback", *WHY], 1, "has no previous: see `movielens models list`"),
        (
            ["promote", "challenger", "--reason", " "],
            1,
            "promote without a reason or a person: say who does it, and why",
        ),
    ],
)
def test_mistakes_are_one_line(arguments, status, message, registry, capsys):
    assert run(registry, *arguments) == status
    error = capsys.readouterr().err
    assert error.startswith("movielens models: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_url_is_a_usage_error(capsys):
    assert main(["models", "list", "--registry", "s3://bucket/models"]) == 2
    assert "is a URL: give a local folder that all workers share" in capsys.readouterr().err


def test_a_reason_is_required(registry, capsys):
    with pytest.raises(SystemExit):
        run(registry, "promote", "challenger")
    assert "the following arguments are required: --reason" in capsys.readouterr().err


def test_a_terminal_shows_whole_versions(registry):
    status, shown = in_a_terminal([*COMMAND, "models", "list", "--registry", str(registry.folder)])
    assert status == 0
    for version, _ in registry.models():
        assert version in shown
