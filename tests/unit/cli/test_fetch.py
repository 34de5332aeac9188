"""``movielens fetch``: what it writes and prints, its progress, and how it resumes."""

from __future__ import annotations

import re
import subprocess

import polars as pl
import pytest
from unit.command_line import COMMAND, DAY_OF_ROWS, ROWS, WINDOW, fetch, in_a_terminal
from unit.disk import largest_file
from unit.scripted_server import DAY, Response, page_of, serve

from airflow_movielens.cli import main
from airflow_movielens.cli.fetch import shown_progress
from airflow_movielens.client.fetch.progress import Progress


def test_a_fetch_writes_the_window_and_reports_it_on_stdout(fetched, truth, tmp_path, capsys):
    path = tmp_path / "again.ndjson.gz"
    assert main(["fetch", *WINDOW, "--output-path", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"3,532 ratings of [2000-11-15, 2000-11-29) in {path} (")
    assert said.out.count("\n") == 1
    expected = truth[(truth["timestamp"] >= 974_246_400) & (truth["timestamp"] < 974_246_400 + 14 * DAY)]
    rows = expected[["userId", "movieId", "rating", "timestamp"]].to_dict("records")
    assert pl.read_parquet(fetched).to_dicts() == rows
    assert pl.read_ndjson(path).to_dicts() == rows


@pytest.mark.slow
@pytest.mark.parametrize(("options", "said"), [([], True), (["--quiet"], False)])
def test_a_retry_is_reported_unless_quiet(options, said, tmp_path):
    busy = Response({}, 503, {"Retry-After": "0"})
    with serve(lambda _, query, number: busy if number == 0 else page_of(ROWS, query)) as server:
        window = [*DAY_OF_ROWS, "--output-path", str(tmp_path / "r.csv"), "--host", server.base_url]
        done = subprocess.run([*COMMAND, "fetch", *window, *options], check=True, capture_output=True, text=True)
    assert ("the API is busy or broken" in done.stderr) is said


def test_the_same_command_resumes_after_a_failed_one(tmp_path, capsys, default_tuning):
    default_tuning(part_rows=10)
    broken = [True]

    def script(_, query, number):
        return Response({}, 404) if broken[0] and number >= 6 else page_of(ROWS, query)

    with serve(script) as server:
        options = ["--batch-size", "10", "--concurrency", "1", "--format", "json"]
        assert fetch(server, tmp_path / "r.csv", *options) == 1
        broken[0] = False
        assert fetch(server, tmp_path / "r.csv", *options) == 0
    said = capsys.readouterr().out
    assert re.search(r"^100 ratings of .*; [1-9]\d of them are from an earlier attempt$", said)
    assert pl.read_csv(tmp_path / "r.csv").to_dicts() == ROWS


def test_a_fetch_that_failed_while_writing_the_file_resumes_without_a_request(tmp_path, capsys, default_tuning):
    default_tuning(part_rows=10)
    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        with largest_file(4096):  # enough for the parts
            assert fetch(server, tmp_path / "r.json", "--batch-size", "10") == 1
        assert list(tmp_path.glob(".partial-*/*r.json")) == []
        asked = len(server.requests)
        assert fetch(server, tmp_path / "r.json", "--batch-size", "10") == 0
        assert len(server.requests) == asked
    assert "100 of them are from an earlier attempt" in capsys.readouterr().out


def test_bad_rows_are_quarantined_and_counted(tmp_path, capsys):
    rows = [*ROWS[:40], {**ROWS[40], "rating": 7.0}, *ROWS[41:]]
    with serve(lambda _, query, __: page_of(rows, query)) as server:
        assert fetch(server, tmp_path / "r.csv", "--on-bad-rows", "quarantine") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("99 ratings of ")
    assert said[1] == f"1 rows that break the contract in {tmp_path / 'r.csv'}.quarantine.ndjson"
    assert pl.read_csv(tmp_path / "r.csv").to_dicts() == ROWS[:40] + ROWS[41:]


@pytest.mark.slow
def test_quiet_shows_no_bar_in_a_terminal(environment, tmp_path):
    command = [*COMMAND, "fetch", *WINDOW, "--output-path", str(tmp_path / "r.csv"), "--quiet"]
    status, shown = in_a_terminal(command)
    assert status == 0
    assert shown.splitlines()[0].startswith("3,532 ratings of ")


def test_without_a_terminal_a_line_is_printed_every_few_seconds(capsys):
    with shown_progress(quiet=False, plain=False) as show:
        for seconds in (0.0, 2.0, 5.0, 6.0, 9.9, 10.0, 12.0):
            show(Progress(int(500 * seconds), 10_000, 1, seconds))
    assert [line.split(" ratings")[0] for line in capsys.readouterr().err.splitlines()] == [
        "2,500 of 10,000 (25 %)",
        "5,000 of 10,000 (50 %)",
    ]


@pytest.mark.slow
def test_a_terminal_shows_a_bar(environment, tmp_path):
    status, shown = in_a_terminal([*COMMAND, "fetch", *WINDOW, "--output-path", str(tmp_path / "r.parquet")])
    assert status == 0, shown
    assert "━" in shown
    assert "3,532 of 3,532 (100 %) ratings" in shown
