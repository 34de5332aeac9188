"""Every engine gives the same ranking: every printed digit, in the same order."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from unit import ranking_engines
from unit.ranking_engines import rankings_on

from airflow_movielens.ranking import METHODS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def expected():
    return rankings_on("polars")


def test_the_ratings_are_awkward(expected):
    assert len(expected) == 3 * len(METHODS) + 2
    assert expected["nan"] == "the ratings have a rating that is not 0.5 to 5.0 in steps of 0.5"
    assert expected["by genre"].count("true") > 0
    assert expected["by genre"].count("false") > 50
    for method in METHODS:
        assert expected[f"{method}, all"].count("\n") > 50
        assert expected[f"{method}, none"].count("\n") == 1


@pytest.mark.parametrize("engine", ["polars-lazy", "pandas"])
def test_engines_of_this_process_agree(engine, expected):
    found = rankings_on(engine)
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["duckdb", "pandas", "pyarrow"])
def test_engines_of_another_environment_agree(engine, engines_python, expected):
    ranked = subprocess.run(
        [engines_python, ranking_engines.__file__, engine],
        env={"PYTHONPATH": str(ROOT / "src")}, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found = json.loads(ranked.stdout)
    assert found == expected
