"""A client whose requests go to a function instead of a server."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_movielens.client import FatalError, MovielensClient, RetryableError

ROWS = [{"userId": user, "movieId": 31, "rating": 2.5, "timestamp": 1260759144} for user in range(1, 8)]


def page(url):
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    start = int(query["offset"])
    body = {"result": ROWS[start : start + int(query["limit"])], "total": len(ROWS)}
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def client_of(respond, **settings):
    return MovielensClient("http://api.test/v1", "me", "pass-word", transport=respond, **settings)


def test_a_function_responds_instead_of_a_server():
    asked = []

    def respond(url, headers):
        asked.append((url, headers["Authorization"]))
        return page(url)

    with client_of(respond, page_size=3) as client:
        assert list(client.get_ratings()) == ROWS
    assert asked[0] == ("http://api.test/v1/ratings?offset=0&limit=3", "Basic bWU6cGFzcy13b3Jk")


def test_lines_are_streamed_from_its_response():
    section = '</v1/ratings?snapshot=a{&offset,limit}>; rel="section"'
    lines = [json.dumps(row).encode() + b"\n" for row in ROWS]

    def respond(url, headers):
        query = {name: int(values[0]) for name, values in parse_qs(urlsplit(url).query).items() if values[0].isdigit()}
        start = query["offset"]
        some = lines[start : start + query.get("limit", len(lines))]
        sent = {"Content-Type": "application/x-ndjson", "X-Total-Count": "7", "Snapshot": "a", "Link-Template": section}
        return 200, sent, b"".join(some)

    with client_of(respond, page_size=3) as client:
        assert list(client.get_ratings()) == ROWS


def test_failures_are_retried_and_redirects_followed(sleeps):
    failures = [OSError("no network"), (503, {"Retry-After": "7"}, b""), (302, {"Location": "?offset=0&limit=3"}, b"")]

    def respond(url, headers):
        failure = failures.pop(0) if failures else page(url)
        if isinstance(failure, Exception):
            raise failure
        return failure

    with client_of(respond, page_size=3) as client:
        assert list(client.get_ratings()) == ROWS
    assert len(sleeps) == 2


@pytest.mark.parametrize(("status", "error"), [(401, FatalError), (500, RetryableError)])
def test_a_status_is_the_same_error_as_from_a_server(status, error):
    with client_of(lambda *_: (status, {}, b'{"detail": "out of order"}')) as client:
        with pytest.raises(error, match="out of order"):
            next(client.get_ratings())
