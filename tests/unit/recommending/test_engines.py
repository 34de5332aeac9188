"""Dataframes of every engine give the same recommendations."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from unit import engine_recommendations
from unit.engine_recommendations import recommendations_on

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def expected():
    return recommendations_on("polars")


@pytest.mark.parametrize("engine", ["polars-lazy", "pandas"])
def test_engines_of_this_process_agree(engine, expected):
    assert recommendations_on(engine) == expected


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["duckdb", "pandas", "pyarrow"])
def test_engines_of_another_environment_agree(engine, engines_python, expected):
    recommended = subprocess.run(
        [engines_python, engine_recommendations.__file__, engine],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found = json.loads(recommended.stdout)
    assert len(found["rows"]) > 20
    assert found == expected
