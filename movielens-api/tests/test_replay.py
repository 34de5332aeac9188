"""Replay: later ratings arrive once, when a clock passes their timestamps, also across restarts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from api_testing import Api, Launch, Model, Process, url_of

from movielens_api.cli import main
from movielens_api.replay import Replay
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue

DAY = "2016-09-16"


@pytest.fixture
def replaying(launch: Launch, tmp_path: Path) -> Callable[..., Process]:
    def start(*options: str) -> Process:
        # Not --data-dir, so that the sample is parsed once for all tests.
        # Nobody reads stderr while the server runs: an access log would fill the pipe and stop it.
        quiet = ("--access-log", "/dev/null")
        return launch("serve", "--port", "0", *quiet, *options, XDG_DATA_HOME=str(tmp_path))

    return start


def rows(api: Api, start: str | None = None) -> list[dict[str, Any]]:
    response = api.ask("/ratings" + (f"?start_date={start}" if start else ""), accept="application/x-ndjson")
    assert response.status_code == 200
    return [json.loads(line) for line in response.text.splitlines()]


def until_over(api: Api, number: int) -> None:
    deadline = time.monotonic() + 60
    while api.json("/ratings", limit=0)["total"] < number:
        assert time.monotonic() < deadline, "it never ended"
        time.sleep(0.05)


def test_ratings_arrive_in_order_and_a_restart_resumes(replaying: Callable[..., Process], model: Model) -> None:
    earlier, replayed = len(model.window(None, DAY)), model.window(DAY, None)
    process = replaying("--replay", "200000", "--replay-from", DAY)
    api = Api(url_of(process))
    found: list[dict[str, Any]] = []
    while len(found) < 20:
        found = rows(api, DAY)
        assert found == replayed[: len(found)]
    assert len(found) < len(replayed)
    assert api.json("/ratings", end_date=DAY, limit=0)["total"] == earlier
    api.post([{"userId": 9999, "movieId": 1, "rating": 3.0, "timestamp": 0}])
    process.kill()
    process.wait()

    process = replaying("--replay", "200000", "--replay-from", DAY)
    api = Api(url_of(process))
    until_over(api, len(model.rows) + 1)
    assert rows(api)[1:] == model.rows
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert "times real time" in errors
    assert "movielens-api: replayed all ratings, until 2016-10-16 17:57:24 (UTC)\n" in errors

    process = replaying("--replay", "1000000000", "--replay-from", DAY)
    assert process.stdout
    said = [process.stdout.readline() for _ in range(2)]
    assert f"{len(model.rows) - earlier + 1:,} posted ratings" in said[1], "nothing was posted twice"


def test_a_month_by_default(replaying: Callable[..., Process], model: Model) -> None:
    process = replaying("--replay", "0.001")
    assert Api(url_of(process)).json("/ratings", limit=0)["total"] == len(model.window(None, DAY))


def test_ratings_arrive_at_every_worker(replaying: Callable[..., Process], model: Model) -> None:
    process = replaying("--replay", "1000000000", "--replay-from", DAY, "--workers", "2")
    url = url_of(process)
    until_over(Api(url), len(model.rows))
    # A connection each, held together: they are not all of one worker.
    apis = [Api(url) for _ in range(6)]
    assert [api.json("/ratings", limit=0)["total"] for api in apis] == [len(model.rows)] * 6


def test_nothing_arrives_at_a_server_that_does_not_start(
    replaying: Callable[..., Process],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replay = ["--replay", "1000000000", "--replay-from", DAY]
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["serve", "--port", "0", *replay, "--access-log", str(tmp_path)]) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert errors.endswith(f"movielens-api: cannot write {tmp_path}: Is a directory\n")
    process = replaying(*replay)
    assert process.stdout
    assert "posted ratings" not in "".join(process.stdout.readline() for _ in range(2))


def test_a_failure_says_that_the_replay_has_ended(small: Catalogue, tmp_path: Path) -> None:
    told: list[str] = []

    class BrokenStore(Store):
        """A store with a failure that nobody foresaw. With a closed one, a replay waits."""

        def add(self, *_: Any) -> Any:
            raise ZeroDivisionError("division by zero")

    with (
        BrokenStore(tmp_path, small) as store,
        Replay(small.ratings, date(1970, 1, 1), 1e9, store, told.append) as replay,
    ):
        replay.start()
        deadline = time.monotonic() + 30
        while len(told) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert told[1] == (
        "the replay has stopped, and no more ratings arrive until a restart: ZeroDivisionError: division by zero"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--replay-from", DAY], "pass --replay, too"),
        (["--replay", "10", "--replay-from", "2016-10-17"], "no ratings on or after 2016-10-17"),
        (["--replay", "0"], "not greater than 0"),
        (["--replay", "nan"], "expected a number such as 0.5, found 'nan'"),
        (["--replay", "1", "--replay-from", "20160917"], "YYYY-MM-DD"),
        (["--replay", "1", "--replay-from", "2016-02-30"], "2016-02-30"),
    ],
)
def test_an_impossible_replay_is_refused(capfd: pytest.CaptureFixture[str], options: list[str], said: str) -> None:
    try:
        status: object = main(["serve", "--port", "0", *options])
    except SystemExit as stopped:
        status = stopped.code
    errors = capfd.readouterr().err
    assert status == 2
    assert said in errors
    assert "Traceback" not in errors
