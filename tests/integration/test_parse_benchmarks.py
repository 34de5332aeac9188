"""The harness of `make bench-parse`, in processes that have not imported this package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TASKS = """
import json, runpy
tasks = runpy.run_path({file!r})["dag"].tasks
print(json.dumps([[task.task_id, type(task).__name__, task.template_fields] for task in tasks]))
"""
WRITE = """
from pathlib import Path
from benchmarks.parse.dag_files import write_dag_files
write_dag_files(Path({folder!r}))
print("null")
"""
PARSE = """
import json, sys
from pathlib import Path
from benchmarks.failure import BenchmarkError
from benchmarks.parse.parsing import in_a_fork
sys.path.insert(0, {folder!r})
def parsed(name):
    try:
        return in_a_fork(Path({folder!r}) / name)
    except BenchmarkError as error:
        return str(error)
results = [parsed(name) for name in ("20_tasks_ours.py", "20_tasks_plain.py", "broken.py")]
import airflow_movielens.operators
print(json.dumps([*results, parsed("20_tasks_ours.py")]))
"""


def said(code, folder):
    """Return the last line that a new Python process prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, check=False, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def written(airflow, tmp_path_factory):
    """Write both forms of each Dag file."""
    folder = tmp_path_factory.mktemp("parse")
    said(WRITE.format(folder=str(folder)), ROOT)
    (folder / "broken.py").write_text("from airflow.sdk import DAG\nnot_there\n")
    return folder


def test_both_forms_of_a_file_have_the_same_tasks(written):
    ours, plain = (said(TASKS.format(file=f"20_tasks_{form}.py"), written) for form in ("ours", "plain"))
    assert ours == plain
    assert [name for _, name, _ in ours] == ["MovielensFetchRatingsOperator"] * 20
    assert "airflow_movielens" not in (written / "20_tasks_plain.py").read_text()


def test_a_parse_counts_only_if_it_imports_the_operators_and_defines_dags(written):
    ours, plain, broken, early = said(PARSE.format(folder=str(written)), ROOT)
    assert ours > 0
    assert plain > 0
    assert "broken.py cannot be parsed" in broken
    assert "airflow_movielens.operators" in early
    assert "this process has already done so" in early
