"""Queries in processes of their own, with the queries of a package that this test writes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from airflow_movielens.plugin.queries.runner import QueryBusyError, QueryError, QueryRunner, QueryTimeoutError
from airflow_movielens.recommending import Model, ModelParameters
from airflow_movielens.recommending.catalogue import Catalogue
from airflow_movielens.recommending.model import TrainingData

pytestmark = pytest.mark.slow

QUERIES = """
import errno, os, resource, signal, sys, time
from pathlib import Path

def surroundings(files):
    print("to the log")
    return {"environment": dict(os.environ), "modules": sorted(sys.modules), "path": sys.path}

def sizes(files, unit):
    return [[file.name, file.local().stat().st_size // unit] for file in files]

def problem(files):
    raise ValueError(f"{files[0].path} is damaged")

def forbidden(files):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), files[0].path)

def crash(files):
    return 1 / 0

def core_limit(files):
    return resource.getrlimit(resource.RLIMIT_CORE)

def kill(files):
    os.kill(os.getpid(), 9)

def wait(files, started, until):
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    Path(started).write_text(str(os.getpid()))
    for _ in range(1000):
        if not Path(until).exists():
            time.sleep(0.01)
    Path(started).write_text("ended")
    return "done"
"""


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """Return a function that makes a runner for the queries above."""
    package = tmp_path / "python" / "own_queries"
    package.mkdir(parents=True)
    (package / "own.py").write_text(QUERIES)
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=os.pathsep)

    def make(**limits):
        return QueryRunner(package="own_queries", **limits)

    return make


def written(file):
    """Wait for a file, and return its text."""
    while not (file.exists() and file.read_text()):
        time.sleep(0.01)
    return file.read_text()


def test_a_query_sees_no_secret_and_no_airflow(runner, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_CONN_MOVIELENS", "http://airflow:s3cr3t@movielens")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    monkeypatch.chdir(tmp_path)
    seen = runner().run("own.surroundings", {})
    assert seen["environment"]["PATH"] == os.environ["PATH"]
    assert not [name for name in seen["environment"] if name.startswith(("AIRFLOW", "AWS"))]
    assert "s3cr3t" not in str(seen["environment"])
    assert not {"airflow", "polars", "numpy"} & set(seen["modules"])
    assert str(tmp_path) not in seen["path"]


def test_a_query_that_crashes_writes_no_core_dump(runner):
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        assert runner().run("own.core_limit", {}) == [0, 0]
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_arguments_and_files_reach_the_query(runner, tmp_path):
    file = tmp_path / "é.csv"
    file.write_bytes(b"x" * 30)
    assert runner().run("own.sizes", {"unit": 10}, [str(file)]) == [[str(file), 3]]


def test_a_problem_with_a_file_is_an_error_in_its_words(runner, tmp_path):
    with pytest.raises(QueryError, match=r"^This cannot be shown: /data/a\.csv is damaged\. Clear the task"):
        runner().run("own.problem", {}, ["/data/a.csv"])
    with pytest.raises(QueryError, match="looks like a Windows path"):
        runner().run("own.sizes", {"unit": 1}, ["C:\\a.csv"])


def test_a_file_that_may_not_be_read_needs_no_new_run(runner):
    with pytest.raises(QueryError, match=r"Permission denied: '/data/a\.csv'\. Let the user of the API server read"):
        runner().run("own.forbidden", {}, ["/data/a.csv"])


def test_a_process_that_fails_is_reported_and_the_log_says_why(runner, caplog):
    with pytest.raises(QueryError, match=r"failed\. The log of the API server says more\."):
        runner().run("own.crash", {})
    assert "ZeroDivisionError" in caplog.text
    with pytest.raises(QueryError, match="killed, perhaps for lack of memory"):
        runner().run("own.kill", {})


def test_a_query_over_time_is_killed(runner, tmp_path):
    started = tmp_path / "started"
    with pytest.raises(QueryTimeoutError, match="longer than 3 seconds"):
        runner().run("own.wait", {"started": str(started), "until": str(tmp_path / "never")}, timeout=3)
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_a_process_that_was_started_ahead_ends_with_its_caller(runner, tmp_path):
    started = tmp_path / "started"
    limited = runner(at_once=1, waiting=0)
    with limited.start("own") as process, pytest.raises(QueryBusyError):
        limited.run("own.surroundings", {})
    with pytest.raises(QueryTimeoutError), limited.start("own", timeout=1) as process:
        time.sleep(1)
        process.run("wait", {"started": str(started), "until": str(started)})
    assert not started.exists()
    assert limited.run("own.surroundings", {})


def test_processes_and_callers_are_limited(runner, tmp_path):
    impatient, patient = runner(at_once=1, waiting=0), runner(at_once=1, waiting=1)
    end = tmp_path / "end"
    with ThreadPoolExecutor(2) as pool:
        running = []
        for number, limited in enumerate([impatient, patient]):
            started = tmp_path / str(number)
            running.append(pool.submit(limited.run, "own.wait", {"started": str(started), "until": str(end)}))
            written(started)
        with pytest.raises(QueryBusyError, match="Too many pages"):
            impatient.run("own.surroundings", {})
        with pytest.raises(QueryTimeoutError):
            patient.run("own.surroundings", {}, timeout=0.1)
        end.touch()
        assert [query.result() for query in running] == ["done", "done"]
    for limited in (impatient, patient):
        assert limited.run("own.surroundings", {})


def some_model():
    """Return a model with two movies."""
    catalogue = Catalogue(
        np.array([7, 9], np.int32), np.ones(2, np.float32), np.empty(0, np.int32), np.empty(0, np.float32)
    )
    trained_on = TrainingData(1, 1, 0, 0, [0] * 9 + [1], "0" * 64)
    return Model(ModelParameters(), catalogue, np.ones((2, 2), np.float32), trained_on)


def test_queries_import_no_airflow_and_only_what_they_need(tmp_path):
    (tmp_path / "a.csv").write_text("rank,movieId,score,num_ratings\n1,7,0.5,3\n")
    some_model().save(tmp_path / "model")
    asked = {
        "courses.course": ("a.csv", {"movie_id": 7}, set()),
        "rankings.table": ("a.csv", {"search": "7", "titled": [7]}, {"polars"}),
        "models.recommend": ("model", {"movies": [7], "n": 3}, {"numpy"}),
        "models.similar": ("model", {"movie_id": 7, "n": 3}, {"numpy"}),
    }
    for query, (name, arguments, heavy) in asked.items():
        module, _, function = query.partition(".")
        file = {"name": name, "path": str(tmp_path / name), "problem": None}
        request = {"query": function, "files": [file], "arguments": arguments}
        script = f"""
import sys
from airflow_movielens.plugin.queries import {module}
from airflow_movielens.plugin.queries.__main__ import answer
found = answer({module}, {request!r})
assert "result" in found, found
loaded = {{"airflow", "numpy", "polars", "scipy"}} & set(sys.modules)
assert loaded == {heavy!r}, loaded
"""
        subprocess.run([sys.executable, "-c", script], check=True)
