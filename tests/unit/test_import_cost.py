"""What an import loads, seen in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_movielens

pytestmark = pytest.mark.slow

PACKAGE = Path(airflow_movielens.__file__).parent
HEAVY = {
    "aiohttp",
    "narwhals",
    "numpy",
    "openlineage",
    "pandas",
    "polars",
    "psycopg",
    "psycopg2",
    "pyarrow",
    "pyspark",
    "requests",
    "scipy",
    "urllib3",
}
CORE = [
    "airflow_movielens.client",
    "airflow_movielens.client.client",
    "airflow_movielens.client.fetch",
    "airflow_movielens.ratings.schema",
    "airflow_movielens.ranking",
    "airflow_movielens.recommending",
]
# Not adapters to Airflow: the core and the command line.
OTHERS = {"__main__", "cli", "client", "ranking", "ratings", "recommending"}
# What a Dag file imports, so that the dag processor imports it each time it parses the file.
IN_DAG_FILES = {"assets", "book", "deadlines", "hooks", "operators", "retry_policy", "sensors", "triggers"}
# What tasks need when they run.
ONLY_IN_TASKS = {
    "airflow_movielens.client.client",
    "airflow_movielens.client.fetch",
    "airflow_movielens.client.http",
    "airflow_movielens.ranking",
    "airflow_movielens.ratings.paths",
    "airflow_movielens.ratings.schema",
}
# What only the processes of the page's queries import; the views are checked, and would be blamed for them.
QUERIES = ("courses", "models", "ranking_files", "rankings", "recommendations")
IN_QUERIES = {f"airflow_movielens.plugin.queries.{name}" for name in QUERIES}


def adapters():
    tops = sorted(path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    names = (top.parent if top.name == "__init__" else top for top in tops if top.parts[0] not in OTHERS)
    modules = {".".join([PACKAGE.name, *name.parts]) for name in names}
    assert modules >= IN_QUERIES
    return sorted(modules - IN_QUERIES)


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
    """Blame each module for what it is the first to import."""
    script = f"""
import sys
from importlib import import_module
import airflow.sdk
blamed = {{}}
for module in {adapters()}:
    before = set(sys.modules)
    import_module(module)
    blamed[module] = sorted((set(sys.modules) - before) & {HEAVY})
import json
print(json.dumps(blamed))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    blamed = json.loads(done.stdout.splitlines()[-1])
    assert "airflow_movielens.provider" in blamed
    assert not {module: heavy for module, heavy in blamed.items() if heavy}


def test_a_dag_file_imports_nothing_that_only_tasks_need():
    imported = [name for name in adapters() if name.removeprefix("airflow_movielens.") in IN_DAG_FILES]
    assert "airflow_movielens.operators" in imported
    assert not loaded_by(f"import {', '.join(imported)}") & ONLY_IN_TASKS


def test_operators_and_sensors_leave_the_hook_to_their_tasks():
    loaded = loaded_by("import airflow_movielens.operators, airflow_movielens.sensors")
    assert "airflow_movielens.task_errors" in loaded
    assert not loaded & {
        "airflow_movielens.hooks",
        "airflow_movielens.connection.client_factory",
        "airflow_movielens.assets",
    }


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
