"""Pages of a window give each row once, whatever is posted, in every format, from both processes of the whole server."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
import requests
from formats_testing import READERS
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule, run_state_machine_as_test
from whole_server_testing import WholeServer

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
STEPS = 15
Row = dict[str, Any]
Key = tuple[int, int, int]
JSON, NDJSON = "application/json", "application/x-ndjson"
FIRST_DAY = 47_482  # 2100-01-01, after all ratings of the dataset
DAYS = 3
# The days of one example; no other one posts into them.
periods = count(FIRST_DAY, DAYS + 1)

rows = some.fixed_dictionaries(
    {
        "userId": some.integers(1, 3),
        "movieId": some.integers(1, 3) | some.just(2**31 - 1),
        "rating": some.integers(1, 10).map(lambda half: half / 2),
        "timestamp": some.integers(0, DAYS - 1).flatmap(
            lambda day: some.sampled_from([0, 1, 86_399]).map(lambda second: day * 86_400 + second)
        ),
    }
)
windows = some.tuples(some.integers(0, DAYS), some.integers(0, DAYS)).map(sorted)
limits = some.integers(1, 7)
CODINGS = ["identity", "gzip", "zstd", "gzip;q=0.5, *;q=0"]
# The headers of a request that say how rows are to be sent.
wishes = some.fixed_dictionaries(
    {"Accept": some.sampled_from([JSON, *READERS]), "Accept-Encoding": some.sampled_from(CODINGS)}
)


@dataclass(frozen=True)
class Place:
    """Where a client has stopped to read a window.

    Attributes:
        query: The query of the next page.
        expected: All rows of the window in its snapshot.
        left: Those of the next pages.
        snapshot: The name of the snapshot.
    """

    query: str
    expected: list[Row]
    left: list[Row]
    snapshot: str


class Windows(RuleBasedStateMachine):
    """Writers and readers of a few days, and what these days hold."""

    server: WholeServer
    places = Bundle("places")
    posts = Bundle("posts")

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[Key, Row] = {}
        self.first_day = next(periods)
        self.keys = count()
        # Either may be of either process.
        self.sessions = [requests.Session(), requests.Session()]

    def ask(self, method: str, query: str, login: int, body: bytes | None = None, **headers: str) -> requests.Response:
        header = self.server.logins[login % len(self.server.logins)].header
        sent = {"Accept": None, "Accept-Encoding": None, **headers, "Authorization": header}
        session = self.sessions[login % 2] if login % 5 else requests.Session()
        url = urljoin(f"{self.server.url}/ratings", query)
        response = session.request(method, url, headers=sent, data=body, timeout=30)
        assert response.status_code < 500, response.text
        return response

    def post(self, body: bytes, login: int, **headers: str) -> requests.Response:
        return self.ask("POST", "", login, body, **headers)

    def dated(self, drawn: list[Row]) -> list[Row]:
        return [{**row, "timestamp": row["timestamp"] + self.first_day * 86_400} for row in drawn]

    def expected(self, window: list[int]) -> list[Row]:
        first, end = ((self.first_day + day) * 86_400 for day in window)
        return [row for (second, *_), row in sorted(self.held.items()) if first <= second < end]

    def query(self, window: list[int], **more: object) -> str:
        start, end = (str(day(self.first_day + number)) for number in window)
        return "?" + urlencode({"start_date": start, "end_date": end, **more})

    # Writing

    @initialize(drawn=some.lists(rows, max_size=30))
    def begin(self, drawn: list[Row]) -> None:
        self.add(drawn, login=0, is_json=True, has_key=False)

    @rule(target=posts, drawn=some.lists(rows, max_size=12), login=some.integers(0, 1), is_json=some.booleans(),
          has_key=some.booleans())  # fmt: skip
    def add(self, drawn: list[Row], login: int, is_json: bool, has_key: bool) -> Any:  # noqa: FBT001
        body, media_type = written(self.dated(drawn), is_json=is_json)
        headers = {"Content-Type": media_type}
        # A key of a post without ratings is not kept, because there is nothing to repeat.
        has_key = has_key and bool(drawn)
        if has_key:
            headers["Idempotency-Key"] = f"{self.first_day}-{next(self.keys)}"
        response = self.post(body, login, **headers)
        assert response.status_code == 201, response.text
        assert response.json() == {"accepted": len(drawn)}
        for row in self.dated(drawn):
            self.held[row["timestamp"], row["userId"], row["movieId"]] = row
        return (body, headers) if has_key else multiple()

    @rule(post=posts, login=some.integers(0, 1))
    def repeat(self, post: tuple[bytes, dict[str, str]], login: int) -> None:
        """The same request again, perhaps to the other process, adds nothing, whatever was posted in between."""
        response = self.post(post[0], login, **post[1])
        assert (response.status_code, response.headers.get("idempotency-replayed")) == (201, "true")

    @rule(post=posts, login=some.integers(0, 1))
    def use_a_key_again(self, post: tuple[bytes, dict[str, str]], login: int) -> None:
        assert self.post(post[0] + b" ", login, **post[1]).status_code == 422

    @rule(drawn=some.lists(rows, min_size=1, max_size=5), wrong=some.sampled_from(["rating", "userId", "timestamp"]),
          is_json=some.booleans())  # fmt: skip
    def add_a_wrong_row(self, drawn: list[Row], wrong: str, is_json: bool) -> None:  # noqa: FBT001
        body, media_type = written([*self.dated(drawn), {**drawn[0], wrong: -1}], is_json=is_json)
        assert self.post(body, 0, **{"Content-Type": media_type}).status_code == 422

    @rule(drawn=some.lists(rows, min_size=1, max_size=5), login=some.integers(2, 4))
    def add_without_the_role(self, drawn: list[Row], login: int) -> None:
        body, media_type = written(self.dated(drawn), is_json=True)
        assert self.post(body, login, **{"Content-Type": media_type}).status_code == 403

    # Reading

    @rule(target=places, window=windows, limit=limits, offset=some.integers(0, 9), login=some.integers(0, 9))
    def begin_a_window(self, window: list[int], limit: int, offset: int, login: int) -> Any:
        response = self.ask("GET", self.query(window, limit=limit, offset=offset), login)
        expected = self.expected(window)
        assert response.json()["result"] == expected[offset : offset + limit]
        assert response.json()["total"] == len(expected)
        return self.place(response, expected, offset + limit)

    @rule(target=places, place=places, login=some.integers(0, 9), wish=wishes)
    def follow_the_link(self, place: Place, login: int, wish: dict[str, str]) -> Any:
        response = self.ask("GET", place.query, login, **wish)
        found = rows_of(response, wish["Accept"])
        assert found
        assert found == place.left[: len(found)]
        assert response.headers["snapshot"] == place.snapshot
        return self.place(response, place.expected, len(place.expected) - len(place.left) + len(found))

    @rule(
        place=places,
        offset=some.integers(0, 40),
        limit=some.none() | some.integers(0, 40),
        login=some.integers(0, 9),
        wish=wishes,
    )
    def read_a_section(self, place: Place, offset: int, limit: int | None, login: int, wish: dict[str, str]) -> None:
        """Any rows of a snapshot can be read as long as it is kept, and a client that has them gets 304."""
        query = f"{place.query}&offset={offset}" + ("" if limit is None else f"&limit={limit}")
        response = self.ask("GET", query, login, **wish)
        found = rows_of(response, wish["Accept"])
        assert found == place.expected[offset : offset + (len(found) if limit is None else limit)]
        assert response.headers["x-total-count"] == str(len(place.expected))
        head = self.ask("HEAD", query, login + 1, **wish)
        again = self.ask("GET", query, login + 1, **wish, **{"If-None-Match": response.headers["etag"]})
        assert (head.status_code, again.status_code) == (200, 304)
        names = ("etag", "x-total-count", "snapshot", "link", "link-template", "vary")
        for other in (head, again):
            assert [other.headers.get(name) for name in names] == [response.headers.get(name) for name in names]

    @rule(window=windows, limit=limits, login=some.integers(0, 9), wish=wishes)
    def read_all_pages(self, window: list[int], limit: int, login: int, wish: dict[str, str]) -> None:
        found, query = [], self.query(window, limit=limit)
        while query:
            response = self.ask("GET", query, login, **wish)
            found += rows_of(response, wish["Accept"])
            query = response.links.get("next", {}).get("url", "")
            login += 1
        assert found == self.expected(window)

    @rule(window=windows, login=some.integers(0, 9), wish=wishes.filter(lambda wish: wish["Accept"] != JSON))
    def read_at_once(self, window: list[int], login: int, wish: dict[str, str]) -> None:
        assert rows_of(self.ask("GET", self.query(window), login, **wish), wish["Accept"]) == self.expected(window)

    def place(self, response: requests.Response, expected: list[Row], start: int) -> Any:
        left = expected[start:]
        assert ("next" in response.links) == bool(left)
        if not left:
            return multiple()
        return Place(response.links["next"]["url"], expected, left, response.headers["snapshot"])


def written(found: list[Row], *, is_json: bool) -> tuple[bytes, str]:
    if is_json:
        return json.dumps(found).encode(), JSON
    return "".join(json.dumps(row) + "\n" for row in found).encode(), NDJSON


def rows_of(response: requests.Response, media_type: str) -> list[Row]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media_type
    found: list[Row] = response.json()["result"] if media_type == JSON else READERS[media_type](response.content)
    return found


def day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=number)


@pytest.mark.parametrize("steps", [STEPS])
def test_windows_are_exact(whole_server: WholeServer, steps: int) -> None:
    class Here(Windows):
        server = whole_server

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=max(EXAMPLES // 4, 1),
            stateful_step_count=steps,
            derandomize="FUZZ_EXAMPLES" not in os.environ,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    whole_server.assert_no_failures()
