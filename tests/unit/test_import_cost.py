"""What an import drags in, asked of a fresh interpreter."""

import json
import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "narwhals", "numpy", "pandas", "polars", "pyarrow", "pyspark", "requests", "urllib3"}
CORE = ["airflow_movielens.client", "airflow_movielens.ratings.schema", "airflow_movielens.ranking"]
ADAPTERS = [f"airflow_movielens.{name}" for name in ("hooks", "operators", "sensors", "triggers")]


def loaded_by(code):
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", CORE)
def test_the_core_imports_no_airflow_and_nothing_heavy(module):
    loaded = loaded_by(f"import {module}")
    assert module in loaded
    assert "airflow" not in loaded
    assert not loaded & HEAVY


def test_the_adapters_import_nothing_heavy_beyond_airflow():
    added = loaded_by(f"import {', '.join(ADAPTERS)}") - loaded_by("import airflow.sdk")
    assert added >= set(ADAPTERS)
    assert not added & HEAVY


def test_using_the_core_imports_no_airflow(tmp_path):
    code = f"""
import polars, pathlib
from airflow_movielens.client import MovielensClient
from airflow_movielens.ranking import rank_movies_by_rating
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.ratings.writing import write_table
write_table(rank_movies_by_rating(RATINGS.empty()).lazy(), pathlib.Path({str(tmp_path)!r}) / "r.csv")
MovielensClient("http://localhost").close()
"""
    assert "airflow" not in loaded_by(code)
