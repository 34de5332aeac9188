"""The command ``movielens`` as a whole: help, version, unusable arguments, and what it imports."""

from __future__ import annotations

import pytest
from unit.command_line import WINDOW
from unit.test_import_cost import HEAVY, loaded_by

from airflow_movielens import __version__
from airflow_movielens.cli import main


@pytest.mark.slow
@pytest.mark.parametrize("argv", [["--help"], ["fetch", "--help"], ["rank", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(argv):
    loaded = loaded_by(
        f"from airflow_movielens.cli import main\ntry: main({argv!r})\nexcept SystemExit as end: assert end.code == 0"
    )
    assert "airflow_movielens.cli" in loaded
    assert not loaded & (HEAVY | {"airflow", "rich"})


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"movielens {__version__}\n"


USAGE = {
    "window without length": (["--end-date", "2000-11-15"], "the first day after the window"),
    "reversed window": (["--end-date", "2000-11-14"], "the window is reversed"),
    "no day": (["--start-date", "yesterday"], "start_date 'yesterday' is not a day"),
    "unknown ending": (["--output-path", "ratings.xml"], "cannot tell the file format"),
    "batch size": (["--batch-size", "0"], "give a whole number of at least 1"),
    "concurrency": (["--concurrency", "0"], "concurrency is 0"),
    "rate_limit": (["--requests-per-second", "0"], "requests_per_second is 0"),
    "retries": (["--retries", "-1"], "retries is -1"),
    "host": (["--host", "ftp://api"], "not an http or https URL"),
    "credentials in the host": (["--host", "http://me:hunter2@api"], "must not hold credentials"),
}


@pytest.mark.parametrize(("options", "words"), USAGE.values(), ids=USAGE.keys())
def test_unusable_arguments_are_reported_before_any_request(options, words, environment, capsys):
    typed = [*WINDOW, "--output-path", "r.csv", *options]
    last = dict(zip(typed[::2], typed[1::2], strict=True))
    assert main(["fetch", *(f"{option}={value}" for option, value in last.items())]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert "hunter2" not in said


@pytest.mark.slow
def test_local_files_need_no_airflow(environment, tmp_path):
    ratings_path, ranking_path = str(tmp_path / "r.parquet"), str(tmp_path / "k.csv")
    loaded = loaded_by(
        f"""
from airflow_movielens.cli import main
assert main(["fetch", *{WINDOW!r}, "--output-path", {ratings_path!r}]) == 0
assert main(["rank", "--input-path", {ratings_path!r}, "--output-path", {ranking_path!r}]) == 0
"""
    )
    assert "polars" in loaded
    assert "airflow" not in loaded
