"""Replay: later ratings arrive as a clock passes their timestamps, once, also over restarts."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_testing import Api, Launch, Model, Process, url_of

DAY = "2016-09-16"


@pytest.fixture
def replaying(launch: Launch, tmp_path: Path) -> Callable[..., Process]:
    def start(*options: str) -> Process:
        return launch("serve", "--port", "0", "--data-dir", str(tmp_path), *options)

    return start


def rows(api: Api) -> list[dict[str, Any]]:
    answer = api.ask("/ratings", accept="application/x-ndjson")
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def until_over(api: Api, number: int) -> None:
    deadline = time.monotonic() + 60
    while api.json("/ratings", limit=0)["total"] < number:
        assert time.monotonic() < deadline, "it never ended"
        time.sleep(0.05)


def test_ratings_arrive_in_their_order_and_a_restart_goes_on(replaying: Callable[..., Process], model: Model) -> None:
    earlier = len(model.window(None, DAY))
    process = replaying("--replay", "200000", "--replay-from", DAY)
    api = Api(url_of(process))
    seen = []
    while not seen or seen[-1] < earlier + 20:
        found = rows(api)
        assert found == model.rows[: len(found)]
        seen.append(len(found))
    assert earlier <= seen[0] <= seen[-1] < len(model.rows)
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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--replay-from", DAY], "give --replay, too"),
        (["--replay", "10", "--replay-from", "2016-10-17"], "no ratings from 2016-10-17 on"),
        (["--replay", "0"], "not above 0"),
        (["--replay", "nan"], "not above 0"),
        (["--replay", "1", "--replay-from", "20160917"], "YYYY-MM-DD"),
        (["--replay", "1", "--replay-from", "2016-02-30"], "2016-02-30"),
    ],
)
def test_what_cannot_be_replayed_is_refused(replaying: Callable[..., Process], options: list[str], said: str) -> None:
    process = replaying(*options)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said in errors
    assert "Traceback" not in errors
