"""The command `movielens`: what it writes, what it says, how it ends."""

from __future__ import annotations

import argparse
import logging
import os
import pty
import re
import signal
import subprocess
import sys
import threading

import polars as pl
import pytest
from unit.scripted_server import DAY, Answer, page_of, ratings, serve
from unit.test_import_cost import HEAVY, loaded_by

from airflow_movielens import __version__
from airflow_movielens.cli import main
from airflow_movielens.cli.api_options import add_api_options, api_settings
from airflow_movielens.cli.fetch import shown_progress
from airflow_movielens.client import ClientSettings
from airflow_movielens.client.errors import FatalError
from airflow_movielens.client.fetch import parts
from airflow_movielens.client.fetch.progress import Progress
from airflow_movielens.ranking import rank_movies_by_rating

COMMAND = [sys.executable, "-m", "airflow_movielens"]
WINDOW = ["--start-date", "2000-11-15", "--end-date", "2000-11-29"]
ROWS = ratings(100)
DAY_OF_ROWS = ["--start-date", "1970-01-02", "--end-date", "1970-01-03"]


@pytest.fixture(autouse=True)
def logging_as_before():
    logger = logging.getLogger("airflow_movielens")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def environment(api, monkeypatch):
    monkeypatch.setenv("MOVIELENS_HOST", api.base_url)
    monkeypatch.setenv("MOVIELENS_USER", api.user)
    monkeypatch.setenv("MOVIELENS_PASSWORD", api.password)


@pytest.fixture
def fetched(environment, tmp_path):
    path = tmp_path / "ratings.parquet"
    assert main(["fetch", *WINDOW, "--output-path", str(path), "--quiet"]) == 0
    return path


def fetch(server, path, *options):
    return main(["fetch", *DAY_OF_ROWS, "--output-path", str(path), "--host", server.base_url, *options])


def in_a_terminal(command, typed=b""):
    """Run a command in a terminal; give its exit status and all that it showed."""
    ours, its = pty.openpty()
    os.set_blocking(ours, True)
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True) as process:
        os.close(its)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
                if typed and b"Password" in shown:
                    os.write(ours, typed)
                    typed = b""
        except OSError:
            pass  # the terminal's other side is closed
    os.close(ours)
    return process.returncode, shown.decode()


def test_fetch_writes_the_window_and_says_so_on_stdout(fetched, truth, tmp_path, capsys):
    path = tmp_path / "again.ndjson.gz"
    assert main(["fetch", *WINDOW, "--output-path", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"3,532 ratings of [2000-11-15, 2000-11-29) in {path} (")
    assert said.out.count("\n") == 1
    expected = truth[(truth["timestamp"] >= 974_246_400) & (truth["timestamp"] < 974_246_400 + 14 * DAY)]
    rows = expected[["userId", "movieId", "rating", "timestamp"]].to_dict("records")
    assert pl.read_parquet(fetched).to_dicts() == rows
    assert pl.read_ndjson(path).to_dicts() == rows


def test_rank_reads_files_and_globs_and_adds_titles(fetched, tmp_path, capsys):
    movies = tmp_path / "movies.csv"
    movies.write_text("movieId,title,genres\n912,Casablanca,Drama\n")
    (tmp_path / "more").mkdir()
    pl.read_parquet(fetched).head(50).write_csv(tmp_path / "more" / "again.csv")
    ranking = tmp_path / "ranking.json"
    inputs = [str(fetched), str(tmp_path / "more" / "*.csv")]
    options = ["--output-path", str(ranking), "--movies-path", str(movies), "--min-ratings", "5"]
    assert main(["rank", "--input-path", *inputs, *options]) == 0
    found = pl.read_json(ranking)
    expected = rank_movies_by_rating(pl.read_parquet(fetched), 5)
    assert found.drop("title").rows() == expected.rows()
    assert found.filter(pl.col("title").is_not_null()).select("movieId", "title").rows() == [(912, "Casablanca")]
    assert capsys.readouterr().out == f"{len(expected)} movies of 2 files ranked in {ranking}\n"


ENDINGS = {
    "wrong password": (Answer({"detail": "who are you?"}, 401), 1, "refuses the credentials"),
    "no such address": (Answer({}, 404), 1, "does not know this address"),
    "overloaded": (Answer({}, 503), 75, "the API is busy or broken"),
    "no JSON": (Answer(b"<html>\nHello\n</html>", 200), 1, "not JSON"),
    "bad rows": (page_of([{**ROWS[0], "rating": 7.0}], {}), 1, "column 'rating': found 7.0"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_is_one_line_on_stderr_and_an_exit_status(ending, tmp_path, capsys, monkeypatch):
    answer, status, words = ENDINGS[ending]
    monkeypatch.setenv("MOVIELENS_PASSWORD", "hunter2")
    with serve(lambda *_: answer) as server:
        assert fetch(server, tmp_path / "r.csv", "--user", "me", "--retries", "0", "--quiet") == status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("movielens fetch: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert "hunter2" not in said.err
    assert list(tmp_path.glob("r.csv")) == []


def test_a_file_that_cannot_be_written_is_an_error_in_one_line(environment, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["fetch", *WINDOW, "--output-path", str(tmp_path / "file" / "r.csv"), "--quiet"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_message_of_several_lines_becomes_one(tmp_path, capsys):
    assert main(["rank", "--input-path", "no\nwhere.csv", "--output-path", str(tmp_path / "k.csv")]) == 1
    assert capsys.readouterr().err == "movielens rank: there is no file no where.csv\n"


@pytest.mark.parametrize(("options", "said"), [([], True), (["--quiet"], False)])
def test_a_request_that_is_repeated_is_said_unless_quiet(options, said, tmp_path):
    busy = Answer({}, 503, {"Retry-After": "0"})
    with serve(lambda _, query, number: busy if number == 0 else page_of(ROWS, query)) as server:
        window = [*DAY_OF_ROWS, "--output-path", str(tmp_path / "r.csv"), "--host", server.base_url]
        done = subprocess.run([*COMMAND, "fetch", *window, *options], check=True, capture_output=True, text=True)
    assert ("the API is busy or broken" in done.stderr) is said


def test_debug_shows_where_it_happened(environment, tmp_path, capsys):
    assert main(["rank", "--input-path", "nowhere.csv", "--output-path", str(tmp_path / "r.csv"), "--debug"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("movielens rank: there is no file nowhere.csv\n")


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
def test_what_was_typed_wrongly_is_said_before_anything_is_asked(options, words, environment, capsys):
    typed = [*WINDOW, "--output-path", "r.csv", *options]
    last = dict(zip(typed[::2], typed[1::2], strict=True))
    assert main(["fetch", *(f"{option}={value}" for option, value in last.items())]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--min-ratings", "0"], "--min-ratings is 0"), (["--method", "luck"], "no ranking method 'luck'")],
)
def test_a_ranking_that_cannot_be_is_a_usage_error(options, words, capsys):
    assert main(["rank", "--input-path", "r.csv", "--output-path", "k.csv", *options]) == 2
    assert words in capsys.readouterr().err


def test_every_option_about_the_api_becomes_a_setting():
    options = {
        "--host": "https://api/v1",
        "--batch-size": "50",
        "--concurrency": "3",
        "--requests-per-second": "2.5",
        "--retries": "7",
        "--format": "ndjson",
        "--ca-file": "ca.pem",
        "--client-certificate": "me.pem",
        "--client-key": "me.key",
    }
    parser = argparse.ArgumentParser()
    add_api_options(parser)
    parsed = parser.parse_args(["--no-verify-tls", *(word for option in options.items() for word in option)])
    assert api_settings(parsed) == ClientSettings(
        "https://api/v1",
        page_size=50,
        concurrency=3,
        requests_per_second=2.5,
        retries=7,
        data_format="ndjson",
        verify_tls=False,
        ca_file="ca.pem",
        client_certificate="me.pem",
        client_key="me.key",
    )
    assert api_settings(parser.parse_args([])) == ClientSettings("http://localhost:5000")


def authorization(server):
    return server.requests[0][2].get("Authorization")


def test_a_token_of_the_environment_goes_before_its_user_and_a_typed_user_before_both(tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIELENS_USER", "me")
    monkeypatch.setenv("MOVIELENS_PASSWORD", "pw")
    monkeypatch.setenv("MOVIELENS_TOKEN", "t0ken")
    sent = []
    for options in ([], ["--user", "you"]):
        with serve(lambda _, query, __: page_of(ROWS, query)) as server:
            assert fetch(server, tmp_path / "r.csv", *options) == 0
        sent.append(authorization(server))
    assert sent == ["Bearer t0ken", "Basic eW91OnB3"]


def test_without_a_user_nothing_is_sent(tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIELENS_PASSWORD", "pw")
    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        assert fetch(server, tmp_path / "r.csv") == 0
    assert authorization(server) is None


ADDRESSES = [
    ({"HOST": "127.0.0.1", "PORT": "9"}, [], "http://127.0.0.1:9/"),
    ({"HOST": "127.0.0.1", "PORT": "9", "SCHEMA": "https"}, [], "https://127.0.0.1:9/"),
    ({"HOST": "http://127.0.0.1:9/v1"}, [], "http://127.0.0.1:9/v1/"),
    ({"HOST": "nowhere.invalid", "PORT": "7", "SCHEMA": "https"}, ["--host", "127.0.0.1:9"], "http://127.0.0.1:9/"),
    ({"HOST": "127.0.0.1", "PORT": "7"}, ["--port", "9"], "http://127.0.0.1:9/"),
    ({"HOST": "127.0.0.1", "PORT": "9", "SCHEMA": "https"}, ["--schema", "http"], "http://127.0.0.1:9/"),
]


@pytest.mark.parametrize("case", ADDRESSES)
def test_options_go_before_the_environment(case, monkeypatch, tmp_path, capsys):
    variables, options, asked = case
    for name, value in variables.items():
        monkeypatch.setenv(f"MOVIELENS_{name}", value)
    assert main(["fetch", *WINDOW, "--output-path", str(tmp_path / "r.csv"), "--retries", "0", *options]) == 75
    assert asked in capsys.readouterr().err


def test_a_port_of_the_environment_that_is_none_is_named(monkeypatch, capsys):
    monkeypatch.setenv("MOVIELENS_PORT", "tcp://10.0.0.1:5000")
    assert main(["fetch", *WINDOW, "--output-path", "r.csv"]) == 2
    assert "MOVIELENS_PORT is 'tcp://10.0.0.1:5000'" in capsys.readouterr().err


def test_a_missing_password_is_asked_for_in_a_terminal(environment, api, tmp_path, monkeypatch):
    monkeypatch.delenv("MOVIELENS_PASSWORD")
    path = str(tmp_path / "r.csv")
    status, shown = in_a_terminal(
        [*COMMAND, "fetch", *WINDOW, "--output-path", path], typed=f"{api.password}\n".encode()
    )
    assert f"Password of {api.user}: " in shown
    assert api.password not in shown
    assert status == 0, shown


def test_a_missing_password_without_a_terminal_is_an_error_that_says_how(environment, monkeypatch, tmp_path):
    monkeypatch.delenv("MOVIELENS_PASSWORD")
    command = [*COMMAND, "fetch", *WINDOW, "--output-path", str(tmp_path / "r.csv")]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert "set MOVIELENS_PASSWORD, or run in a terminal to be prompted" in done.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_fetch_says_how_to_resume(stop, tmp_path):
    asked, stopped = threading.Event(), threading.Event()

    def script(_, query, number):
        if number == 2:
            asked.set()
            stopped.wait(30)
        return page_of(ROWS, query)

    with serve(script) as server:
        options = ["--output-path", str(tmp_path / "r.csv"), "--batch-size", "10", "--concurrency", "1"]
        command = [*COMMAND, "fetch", *DAY_OF_ROWS, "--host", server.base_url, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert asked.wait(30)
            process.send_signal(stop)
            out, err = process.communicate(timeout=30)
            stopped.set()
    assert process.returncode == 130
    assert (
        err.splitlines()[-1] == "movielens fetch: stopped; run the same command again to resume from the data on disk"
    )
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "r.csv").exists()


def test_the_same_command_resumes_after_a_failed_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(parts, "ROWS_PER_PART", 10)

    broken = [True]

    def script(_, query, number):
        return Answer({}, 404) if broken[0] and number >= 6 else page_of(ROWS, query)

    with serve(script) as server:
        options = ["--batch-size", "10", "--concurrency", "1", "--format", "json"]
        assert fetch(server, tmp_path / "r.csv", *options) == 1
        broken[0] = False
        assert fetch(server, tmp_path / "r.csv", *options) == 0
    said = capsys.readouterr().out
    assert re.search(r"^100 ratings of .*; [1-9]\d of them are from an earlier attempt$", said)
    assert pl.read_csv(tmp_path / "r.csv").to_dicts() == ROWS


def test_bad_rows_can_be_set_aside_and_are_counted(tmp_path, capsys):
    rows = [*ROWS[:40], {**ROWS[40], "rating": 7.0}, *ROWS[41:]]
    with serve(lambda _, query, __: page_of(rows, query)) as server:
        assert fetch(server, tmp_path / "r.csv", "--on-bad-rows", "quarantine") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("99 ratings of ")
    assert said[1] == f"1 rows that break the contract in {tmp_path / 'r.csv'}.quarantine.ndjson"
    assert pl.read_csv(tmp_path / "r.csv").to_dicts() == ROWS[:40] + ROWS[41:]


def test_a_terminal_sees_a_bar_and_a_table(environment, tmp_path):
    ratings_path, ranking_path = str(tmp_path / "r.parquet"), str(tmp_path / "k.csv")
    status, shown = in_a_terminal([*COMMAND, "fetch", *WINDOW, "--output-path", ratings_path])
    assert status == 0, shown
    assert "━" in shown
    assert "3,532 of 3,532 (100 %) ratings" in shown
    status, shown = in_a_terminal([*COMMAND, "rank", "--input-path", ratings_path, "--output-path", ranking_path])
    assert status == 0, shown
    assert "avg_rating" in shown


def test_quiet_means_no_bar_in_a_terminal_either(environment, tmp_path):
    command = [*COMMAND, "fetch", *WINDOW, "--output-path", str(tmp_path / "r.csv"), "--quiet"]
    status, shown = in_a_terminal(command)
    assert status == 0
    assert shown.splitlines()[0].startswith("3,532 ratings of ")


def test_without_a_terminal_a_line_comes_every_few_seconds(capsys):
    with shown_progress(quiet=False, plain=False) as show:
        for seconds in (0.0, 2.0, 5.0, 6.0, 9.9, 10.0, 12.0):
            show(Progress(int(500 * seconds), 10_000, 1, seconds))
    assert [line.split(" ratings")[0] for line in capsys.readouterr().err.splitlines()] == [
        "2,500 of 10,000 (25 %)",
        "5,000 of 10,000 (50 %)",
    ]


@pytest.mark.parametrize("argv", [["--help"], ["fetch", "--help"], ["rank", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(argv):
    loaded = loaded_by(
        f"from airflow_movielens.cli import main\ntry: main({argv!r})\nexcept SystemExit as end: assert end.code == 0"
    )
    assert "airflow_movielens.cli" in loaded
    assert not loaded & (HEAVY | {"airflow", "rich"})


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


@pytest.mark.parametrize(
    ("redirections", "status", "said"),
    [(">/dev/full", 1, "No space left on device"), (">&-", 0, ""), ("<&- >&- 2>&-", 0, ""), ("2>/dev/full", 0, "")],
)
def test_streams_that_are_closed_or_full(tmp_path, redirections, status, said):
    (tmp_path / "r.csv").write_text("userId,movieId,rating,timestamp\n1,2,4.5,974678400\n")
    files = f"--input-path {tmp_path}/r.csv --output-path {tmp_path}/ranking.csv --min-ratings 1"
    command = f"{' '.join(COMMAND)} rank {files} {redirections}"
    ended = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == status, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert (tmp_path / "ranking.csv").exists()


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"movielens {__version__}\n"


def test_a_fetch_that_was_killed_while_it_wrote_the_file_says_that_all_came_earlier(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(parts, "ROWS_PER_PART", 10)

    def full(*_):
        raise OSError("No space left on device")

    with serve(lambda _, query, __: page_of(ROWS, query)) as server:
        with monkeypatch.context() as patch:
            patch.setattr("airflow_movielens.client.fetch.fetching.write_rows", full)
            assert fetch(server, tmp_path / "r.csv", "--batch-size", "10") == 1
        assert list(tmp_path.glob(".partial-*/*r.csv")) == []
        asked = len(server.requests)
        assert fetch(server, tmp_path / "r.csv", "--batch-size", "10") == 0
        assert len(server.requests) == asked
    assert "100 of them are from an earlier attempt" in capsys.readouterr().out


def _base_url(monkeypatch, options=(), **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    parser = argparse.ArgumentParser()
    add_api_options(parser)
    return api_settings(parser.parse_args(options)).base_url


@pytest.mark.parametrize(
    ("options", "host", "url"),
    [
        (["--port", "8080"], "api", "http://api:8080"),
        (["--host", "http://api"], "other", "http://api"),
        ([], "http://api:9000", "http://api:9000"),
    ],
)
def test_the_port_that_kubernetes_sets_is_not_read_if_another_is_known(monkeypatch, options, host, url):
    assert _base_url(monkeypatch, options, MOVIELENS_PORT="tcp://10.0.0.1:5000", MOVIELENS_HOST=host) == url


def test_a_port_in_the_environment_completes_a_full_url(monkeypatch):
    assert _base_url(monkeypatch, MOVIELENS_PORT="9000", MOVIELENS_HOST="http://api") == "http://api:9000"


def test_the_port_that_kubernetes_sets_is_explained(monkeypatch):
    with pytest.raises(FatalError, match="Kubernetes sets it for a service called movielens: give --port"):
        _base_url(monkeypatch, MOVIELENS_PORT="tcp://10.0.0.1:5000", MOVIELENS_HOST="api")
