"""The exit status of a command, and the one line on stderr that explains it."""

from __future__ import annotations

import signal
import subprocess
import threading

import pytest
from unit.command_line import COMMAND, DAY_OF_ROWS, ROWS, WINDOW, fetch
from unit.scripted_server import Response, page_of, serve

from airflow_movielens.cli import main
from airflow_movielens.cli.exit_status import run_command

ENDINGS = {
    "wrong password": (Response({"detail": "who are you?"}, 401), 1, "refuses the credentials"),
    "no such address": (Response({}, 404), 1, "does not know this address"),
    "overloaded": (Response({}, 503), 75, "the API is busy or broken"),
    "no JSON": (Response(b"<html>\nHello\n</html>", 200), 1, "not JSON"),
    "bad rows": (page_of([{**ROWS[0], "rating": 7.0}], {}), 1, "column 'rating': found 7.0"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_is_one_line_on_stderr_and_an_exit_status(ending, tmp_path, capsys, monkeypatch):
    response, status, words = ENDINGS[ending]
    monkeypatch.setenv("MOVIELENS_PASSWORD", "hunter2")
    with serve(lambda *_: response) as server:
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


def test_a_lack_of_memory_is_said_in_words(capsys):
    def run():
        raise MemoryError

    assert run_command(run, "movielens fetch", "run it again", debug=False) == 1
    assert capsys.readouterr().err == "movielens fetch: there is not enough memory\n"


def test_debug_prints_a_traceback(environment, tmp_path, capsys):
    assert main(["rank", "--input-path", "nowhere.csv", "--output-path", str(tmp_path / "r.csv"), "--debug"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("movielens rank: there is no file nowhere.csv\n")


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirections", "status", "said"),
    [(">/dev/full", 1, "No space left on device"), (">&-", 0, ""), ("<&- >&- 2>&-", 0, ""), ("2>/dev/full", 0, "")],
)
def test_closed_and_full_streams_are_handled(tmp_path, redirections, status, said):
    (tmp_path / "r.csv").write_text("userId,movieId,rating,timestamp\n1,2,4.5,974678400\n")
    files = f"--input-path {tmp_path}/r.csv --output-path {tmp_path}/ranking.csv --min-ratings 1"
    command = f"{' '.join(COMMAND)} rank {files} {redirections}"
    ended = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == status, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert (tmp_path / "ranking.csv").exists()
