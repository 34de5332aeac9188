"""The rate limit of a user, over all processes of a server."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from api_testing import Launch, Serving, url_of
from auth_testing import ANN, BEN, add_token, ann_and_ben, ask, bearer

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.cli import main
from movielens_api.errors import StartupError
from movielens_api.middleware.rate_limit import SLOTS, RateLimitMiddleware, Slots
from movielens_api.system.rate import Rate
from movielens_api.table.catalogue import Catalogue


def test_a_burst_then_evenly() -> None:
    rate, arrival, passed = Rate(interval=0.25, burst=4), 0.0, []
    for tick in range(100, 300):
        now = tick / 32
        if rate.wait(arrival, now) <= 0:
            assert rate.left(arrival, now) >= 1
            arrival = rate.after(arrival, now)
            passed.append(now)
        else:
            assert rate.left(arrival, now) == 0
            assert rate.wait(arrival, now + rate.wait(arrival, now)) <= 0
    assert passed[:4] == [100 / 32, 101 / 32, 102 / 32, 103 / 32]
    assert {later - earlier for earlier, later in pairwise(passed[4:])} == {0.25}


@pytest.mark.parametrize("burst", [1, 3, 10, 1000])
def test_the_remaining_requests_count_down(burst: int) -> None:
    rate, now, arrival = Rate(interval=1 / burst, burst=burst), 12345.678, 0.0
    for left in range(burst, 0, -1):
        assert rate.left(arrival, now) == left
        assert rate.wait(arrival, now) <= 0
        arrival = rate.after(arrival, now)
    assert rate.left(arrival, now) == 0
    assert 0 < rate.wait(arrival, now) <= 1 / burst + 1e-9


def stopped_clock() -> float:
    """Return the same time always, so that no further request is allowed during a test."""
    return 1000.0


def test_429_has_retry_after(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    file = ann_and_ben(tmp_path)
    token = add_token(file, "ann")
    app = create_app(small, DEFAULT, users_file=file, rate_limit=3, slots=Slots(clock=stopped_clock))
    with serving(app) as server:
        responses = [ask(server.url, ANN) for _ in range(5)]
        assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
        assert [response.headers["ratelimit"] for response in responses] == [
            f'"default";r={left};t=1' for left in (2, 1, 0, 0, 0)
        ]
        assert {response.headers["ratelimit-policy"] for response in responses} == {'"default";q=3;w=1'}
        problem = responses[-1]
        assert problem.headers["content-type"] == "application/problem+json"
        assert problem.json()["detail"].startswith("More than 3 requests per second.")
        assert problem.headers["retry-after"] == "1"
        assert "retry-after" not in responses[0].headers
        # Tokens count for their user, and users do not count for each other; 404 counts, 401 does not.
        assert ask(server.url, **bearer(token)).status_code == 429
        assert ask(server.url, BEN, "/nothing").headers["ratelimit"].startswith('"default";r=2')
        assert "ratelimit" not in ask(server.url, ("ann", "wrong")).headers
        assert "ratelimit" not in ask(server.url, path="/healthz").headers


def test_the_header_fields_are_structured_as_the_draft_says(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT, rate_limit=7)) as server:
        headers = server.get("/users").headers
    assert headers["ratelimit-policy"] == '"default";q=7;w=1'
    assert headers["ratelimit"] == '"default";r=6;t=1'


def test_without_a_limit_there_is_no_header(serving: Serving, small: Catalogue) -> None:
    with serving(create_app(small, DEFAULT)) as server:
        assert not [name for name in server.get("/users").headers if name.lower().startswith("ratelimit")]


def test_allowed_again_after_retry_after(launch: Launch, folder: Path) -> None:
    process = launch("serve", "--dataset", str(folder), "--port", "0", "--rate-limit", "1")
    url = url_of(process)
    with requests.Session() as session:
        session.auth = ("movielens", "movielens")
        responses = []
        while not responses or responses[-1].status_code == 200:
            responses.append(session.get(url + "/users", timeout=10))
        time.sleep(int(responses[-1].headers["retry-after"]))
        assert session.get(url + "/users", timeout=10).status_code == 200


def test_servers_share_a_limit(serving: Serving, small: Catalogue, tmp_path: Path) -> None:
    def app() -> object:
        return create_app(small, DEFAULT, rate_limit=6, slots=Slots(tmp_path / "rate-limits", stopped_clock))

    with serving(app()) as one, serving(app()) as other:  # type: ignore[arg-type]
        statuses = [server.get("/users").status_code for _ in range(5) for server in (one, other)]
    assert statuses == [200] * 6 + [429] * 4


HAMMERING = """
import sys, time
from pathlib import Path
from movielens_api.middleware.rate_limit import RateLimitMiddleware, Slots

limit = RateLimitMiddleware(None, 2000, Slots(Path(sys.argv[1]), lambda: 1000.0))
sys.stdin.readline()
print(sum(not limit._take("ann")[0] for _ in range(20_000)))
"""


def test_processes_share_a_limit(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HAMMERING, str(tmp_path / "rate-limits")]
    processes = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.close()
    passed = sum(int(process.stdout.read()) for process in processes if process.stdout)
    assert [process.wait(60) for process in processes] == [0] * 3
    # Without sharing it would be 6,000, without a lock some hundred more.
    assert passed == 2000


def test_users_have_slots_of_their_own(tmp_path: Path) -> None:
    one, other = Slots(tmp_path / "slots"), Slots(tmp_path / "slots")
    for number in range(2000):
        (one if number % 2 else other)[f"user{number}"] = float(number)
    assert [one[f"user{number}"] for number in range(2000)] == list(range(2000))
    assert [other[f"user{number}"] for number in range(2000)] == list(range(2000))
    assert (tmp_path / "slots").stat().st_mode & 0o777 == 0o600


def test_users_beyond_the_slots_share_them() -> None:
    slots = Slots()
    for number in range(SLOTS + 100):
        slots[f"user{number}"] = 1.0
    assert slots[f"user{SLOTS + 50}"] == 1.0


def test_a_reboot_locks_nobody_out() -> None:
    slots = Slots()
    slots["ann"] = 1e12
    wait, left = RateLimitMiddleware(None, 5, slots)._take("ann")  # type: ignore[arg-type]
    assert (wait, left) == (0, 4)


def test_impossible_slots_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match=re.escape(f"cannot write {tmp_path / 'file' / 'slots'}")):
        Slots(tmp_path / "file" / "slots")


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "x", "1000001", ""])
def test_impossible_limits_are_refused(capsys: pytest.CaptureFixture[str], limit: str) -> None:
    with pytest.raises(SystemExit):
        main(["serve", f"--rate-limit={limit}"])
    assert "argument --rate-limit" in capsys.readouterr().err
