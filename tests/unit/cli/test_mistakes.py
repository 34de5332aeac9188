"""Unusable options: a usage error in one sentence, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import polars as pl
import pytest

from airflow_movielens.cli import main
from airflow_movielens.recommending import train

FETCH = {
    "--start-date": "2000-11-20",
    "--end-date": "2000-11-21",
    "--output-path": "out.csv",
    "--host": "127.0.0.1",
    "--port": "1",
    "--retries": "0",
}
FURTHER = ["--on-bad-rows", "--schema", "--user", "--batch-size", "--concurrency", "--requests-per-second", "--format"]
FILES = ["--time-zone", "--ca-file", "--client-certificate", "--client-key"]
RANK = {"--input-path": "in.csv", "--output-path": "out.csv"}
RECOMMEND = {"--model": "model.npz", "--user": "1", "--input-path": "in.csv", "--n": "3"}
LIKE = {"--model": "model.npz", "--movies-path": "movies.csv", "--like": "Heat"}
VALUES = [
    "",
    " ",
    "--",
    "-1",
    "0",
    "nan",
    "1e400",
    "9" * 5_000,
    "1" * 400,
    "a\nb",
    "a\0b",
    "\udcff",
    "é",
    "/",
    "none.csv",
]
MODEL = train(pl.DataFrame({"userId": [1], "movieId": [2], "rating": [4.5], "timestamp": [974678400]}))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOVIELENS_PASSWORD", "hunter2")
    (tmp_path / "in.csv").write_text("userId,movieId,rating,timestamp\n1,2,4.5,974678400\n")
    (tmp_path / "movies.csv").write_text("movieId,title\n2,Heat (1995)\n")
    MODEL.save("model.npz")
    return tmp_path


def run(command, options):
    """Run a command, and return its exit status."""
    try:
        return int(main([command, *(f"{option}={value}" for option, value in options.items())]))
    except SystemExit as ended:
        return ended.code


@pytest.mark.parametrize(
    ("command", "right", "option"),
    [("fetch", FETCH, option) for option in [*FETCH, *FURTHER, *FILES]]
    + [("rank", RANK, option) for option in [*RANK, "--movies-path", "--min-ratings", "--method"]]
    + [("recommend", RECOMMEND, option) for option in [*RECOMMEND, "--movies-path", "--host", "--output-path"]]
    + [("recommend", LIKE, option) for option in LIKE]
    + [("recommend", {"--like": "2"}, "--registry")],
)
@pytest.mark.slow
def test_no_value_causes_a_traceback(command, right, option, capsys):
    for value in VALUES:
        status = run(command, right | {option: value})
        said = capsys.readouterr().err
        assert status in (0, 1, 2, 75), value
        last = said.strip().rpartition("\n")[2]
        assert not said or last.startswith(f"movielens {command}: "), said
        for word in ("Traceback", "Error:", "hunter2", "codec"):
            assert word not in said, said


TWICE = {
    "an option": (["--host", "a"], "--host: given twice, with different values"),
    "a port": (["--host=http://127.0.0.1:9"], "--port is 1, but the host says http://127.0.0.1:9"),
    "no port": (["--port=0"], "port is 0: give one from 1 to 65535"),
    "a schema": (["--host=https://127.0.0.1:1", "--schema=http"], "--schema is http, but the host says https"),
    "an empty variable": (["--user="], "--user: expected a value, found an empty one"),
    "only --": (["--user=--"], "--user: expected a value, found an empty one"),
}


@pytest.mark.parametrize("case", TWICE)
def test_contradicting_and_empty_options_are_refused(case, capsys):
    options, words = TWICE[case]
    kept = FETCH if case == "an option" else {key: value for key, value in FETCH.items() if key not in options[0]}
    typed = [f"{option}={value}" for option, value in kept.items()] + options
    try:
        status = main(["fetch", *typed])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert words in capsys.readouterr().err


def test_input_path_may_be_repeated(folder, capsys):
    (folder / "more.csv").write_text("userId,movieId,rating,timestamp\n1,3,4.5,974678400\n")
    files = ["--input-path", "in.csv", "--input-path", "more.csv", "--output-path", "out.csv", "--min-ratings", "1"]
    assert main(["rank", *files]) == 0
    assert capsys.readouterr().out == "2 movies of 2 files ranked in out.csv\n"


ODD = {
    "HOME": "",
    "TMPDIR": "/nowhere",
    "PATH": "/nowhere",
    "AIRFLOW_HOME": "/dev/null/x",
    "COLUMNS": "abc",
    "TERM": "",
    "LC_ALL": "xx",
    "TZ": "No/Where",
    "PYTHONIOENCODING": "ascii",
}


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{}, ODD])
def test_a_sparse_environment_is_enough(variables):
    command = [sys.executable, "-m", "airflow_movielens", "rank", "--input-path", "in.csv", "--output-path", "é.csv"]
    ended = subprocess.run(command, env=variables, check=False, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.startswith(b"0 movies of 1 files ranked in ")


def test_a_removed_current_folder_is_reported(folder, monkeypatch, capsys):
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        assert run("rank", RANK) == 2
    finally:
        os.chdir(folder)
    assert "out.csv is relative to the current folder, which is gone" in capsys.readouterr().err


def test_an_empty_home_is_not_the_root_of_the_file_system(monkeypatch, capsys):
    monkeypatch.setenv("HOME", "")
    assert run("rank", RANK | {"--output-path": "~/out.csv"}) == 2
    assert "the home folder of a user who is not known" in capsys.readouterr().err
