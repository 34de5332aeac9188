"""Hostile servers that refuse valid requests or redirect the client."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import pytest
import requests
from hostile_testing import ROWS, Hostile

JSON_PAGES = ["/ratings?limit=2", "/ratings?limit=2&offset=2"]


@pytest.mark.parametrize("name", ["429", "429-seconds", "429-date"])
def test_429_for_the_first_of_two(hostile: Hostile, name: str) -> None:
    server = hostile(name)
    for path in JSON_PAGES * 2:
        refused = server.ask(path)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert server.ask(path).status_code == 200


def test_429_says_when_to_retry(hostile: Hostile) -> None:
    assert "retry-after" not in hostile("429").ask("/ratings").headers
    assert hostile("429-seconds").ask("/ratings").headers["retry-after"] == "1"
    before = time.time()
    date = parsedate_to_datetime(hostile("429-date").ask("/ratings").headers["retry-after"])
    assert before < date.timestamp() <= time.time() + 2


def test_a_burst_of_500_per_page(hostile: Hostile) -> None:
    server = hostile("500-bursts")
    for path in JSON_PAGES * 2:
        assert [server.ask(path).status_code for _ in range(3)] == [500, 500, 200]


def test_a_resumed_stream_is_one_address(hostile: Hostile) -> None:
    server = hostile("500-bursts")
    cursor = [server.ask("/ratings?limit=1") for _ in range(3)][-1].links["next"]["url"]
    parts = [f"/ratings{cursor}&offset={offset}" for offset in (1, 20, 40)]
    assert [server.ask(part, accept="text/csv").status_code for part in parts] == [500, 500, 200]


def test_credentials_revoked_after_the_first_page(hostile: Hostile) -> None:
    server = hostile("401-midway")
    for _ in range(2):
        first = server.get("/ratings", limit=2)
        assert first.json()["result"] == ROWS[:2]
        for path in (JSON_PAGES[1], "/ratings" + first.links["next"]["url"]):
            response = server.ask(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Basic")


def test_403_without_token(hostile: Hostile) -> None:
    server = hostile("403-without-token")
    assert server.get("/ratings").status_code == 403
    server.auth = None
    assert server.get("/ratings").status_code == 403
    # A token that there is not: it gets past the profile.
    assert server.ask("/ratings", authorization="Bearer mlapi_x").status_code == 401


def test_a_snapshot_is_gone_in_every_other_pull(hostile: Hostile) -> None:
    server = hostile("410-midway")
    for status in (410, 200, 410, 200):
        first = server.ask("/ratings?limit=2")
        assert first.status_code == 200
        second = server.ask("/ratings" + first.links["next"]["url"])
        assert second.status_code == status
        third = server.ask(f"{first.url.removeprefix(server.url)}&offset=4")
        assert third.status_code == 200
    assert {server.ask(path).status_code for path in JSON_PAGES * 2} == {200}


def test_a_redirect_to_another_host_shows_whether_credentials_followed(hostile: Hostile) -> None:
    server = hostile("redirect-to-other-host")
    followed = server.get("/ratings", limit=2)
    [redirect] = followed.history
    assert redirect.status_code == 302
    assert followed.url == server.url.replace("127.0.0.1", "localhost") + "/elsewhere/ratings?limit=2"
    assert followed.json() == {"result": [], "offset": 0, "limit": 100, "total": 0}
    # `requests` does not send them to another host.
    assert followed.headers["credentials-received"] == "no"
    careless = requests.get(followed.url, auth=server.auth, timeout=10)
    assert careless.headers["credentials-received"] == "yes"
    back = requests.get(server.url.replace("127.0.0.1", "localhost") + "/ratings", allow_redirects=False, timeout=10)
    assert back.headers["location"].startswith(server.url)


def test_a_redirect_loop(hostile: Hostile) -> None:
    server = hostile("redirect-loop")
    with pytest.raises(requests.TooManyRedirects):
        server.get("/ratings", limit=2)


def test_everything_else_is_unchanged(hostile: Hostile) -> None:
    server = hostile("500-bursts", "redirect-loop", "401-midway")
    assert [server.get(path).status_code for path in ("/movies", "/users", "/healthz", "/")] == [200] * 4
