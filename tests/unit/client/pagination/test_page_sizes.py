"""How many rows each request asks for: what the client chooses, what the API allows, and what is given."""

from __future__ import annotations

import threading
from itertools import groupby
from logging import INFO

import pytest
from unit.scripted_server import Response, page_of, ratings, serve

from airflow_movielens.client import MovielensClient
from airflow_movielens.client.errors import (
    BadResponseError,
    BadRowsError,
    Exchange,
    RatingsChangedError,
    RetryableError,
)
from airflow_movielens.client.pagination.page_sizes import PageLimit, PageSizes
from airflow_movielens.client.settings import DEFAULT_TUNING, Tuning

SMALL = Tuning(first_page_size=10, largest_page_size=100)
ROWS = ratings(1_500)
EXCHANGE = Exchange("GET", "http://api/ratings")


def limits(server):
    """Return the limits of the requests for pages, in their order."""
    return [int(query["limit"]) for _, query, _ in server.requests]


def steps(server):
    """Return the limits without those that are equal to the one before: how many calls wait does not matter."""
    return [limit for limit, _ in groupby(limits(server))]


def clamped(most, rows=ROWS, **changes):
    """A server that sends at most ``most(number)`` rows, where number is that of the request."""

    def script(_, query, number):
        return page_of(rows, query | {"limit": min(int(query["limit"]), most(number))}, **changes)

    return script


def read(server, tuning=SMALL, **settings):
    settings = {"concurrency": 1} | settings
    with MovielensClient(server.base_url, tuning=tuning, **settings) as client:
        return list(client.get_ratings())


def sections(script):
    def with_sections(path, query, number):
        response = script(path, query, number)
        if response.status == 200:
            template = '"?cursor=s1{&offset,limit}"; rel="section"'
            total = str(response.body["total"])
            response.headers = {"Snapshot": "s1", "X-Total-Count": total, "Link-Template": template}
        return response

    return with_sections


kinds = pytest.mark.parametrize("kind", [lambda script: script, sections], ids=["offsets", "sections"])


@kinds
def test_pages_double_up_to_the_largest(kind):
    with serve(kind(clamped(lambda _: 1_000))) as server:
        assert read(server) == ROWS
        assert steps(server)[:5] == [10, 20, 40, 80, 100]
        assert max(limits(server)) == 100


def test_pages_begin_with_1000_rows_and_grow_up_to_10_000():
    rows = ratings(32_000)
    with serve(lambda _, query, __: page_of(rows, query)) as server:
        assert read(server, DEFAULT_TUNING) == rows
        assert steps(server)[:5] == [1_000, 2_000, 4_000, 8_000, 10_000]


def test_slow_pages_do_not_grow():
    with serve(clamped(lambda _: 1_000)) as server:
        assert read(server, Tuning(first_page_size=10, largest_page_size=100, slow_page_seconds=0.0)) == ROWS
        assert set(limits(server)) == {10}


@kinds
@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_no_request_asks_for_more_than_a_given_page_size(kind, size):
    with serve(kind(clamped(lambda _: 50, ROWS[:200]))) as server:
        with MovielensClient(server.base_url, page_size=size, tuning=SMALL) as client:
            assert list(client.get_ratings()) == ROWS[:200]
        assert set(limits(server)) <= {max(size, 2)}


@kinds
def test_the_client_stays_at_the_size_that_the_api_sends(kind):
    with serve(kind(clamped(lambda _: 30))) as server:
        assert read(server) == ROWS
        assert steps(server)[:7] == [10, 20, 40, 30, 60, 30, 60]
        # A larger page is requested after 10 full ones, then after 20.
        assert [len(list(group)) for limit, group in groupby(limits(server)) if limit == 60] == [1, 1]
        first, second = (number for number, limit in enumerate(limits(server)) if limit == 60)
        assert 20 <= second - first <= 23


@kinds
def test_the_client_follows_an_api_that_sends_less_than_before(kind):
    with serve(kind(clamped(lambda number: 1_000 if number < 6 else 30))) as server:
        assert read(server) == ROWS
        assert limits(server).count(30) > 0.75 * len(server.requests)


@kinds
def test_an_api_that_ignores_the_limit_is_read_by_the_pages_that_it_sends(kind):
    def script(_, query, __):
        return page_of(ROWS, query | {"limit": "50"})

    with serve(kind(script)) as server:
        assert read(server, concurrency=4) == ROWS
        assert len(server.requests) < 45


@kinds
def test_pages_grow_again_when_the_api_allows_it(kind):
    with serve(kind(clamped(lambda number: 30 if number < 20 else 1_000))) as server:
        assert read(server) == ROWS
        assert 100 in limits(server)


@kinds
def test_pages_of_a_given_size_grow_again_when_the_api_allows_it(kind):
    with serve(kind(clamped(lambda number: 30 if 2 < number < 10 else 1_000))) as server:
        assert read(server, page_size=100) == ROWS
        assert 15 < len(server.requests) < 30


@kinds
def test_one_short_page_does_not_make_all_pages_short(kind):
    with serve(kind(clamped(lambda number: 2 if number == 5 else 1_000))) as server:
        assert read(server) == ROWS
        assert len(server.requests) < 40


def test_a_default_size_in_place_of_too_large_a_limit_is_noticed():
    def script(_, query, __):
        return page_of(ROWS, query | {"limit": query["limit"] if int(query["limit"]) <= 50 else 5})

    with serve(script) as server:
        assert read(server) == ROWS
        assert limits(server).count(40) > 0.8 * len(server.requests)


@pytest.mark.parametrize(
    ("kind", "status"), [(sections, 400), (sections, 422), (lambda script: script, 413), (lambda script: script, 404)]
)
def test_a_size_that_is_refused_is_not_requested_again(kind, status, caplog):
    def script(_, query, number):
        return page_of(ROWS, query) if int(query["limit"]) <= 30 else Response({"detail": "too large"}, status)

    with serve(kind(script)) as server, MovielensClient(server.base_url, tuning=SMALL, concurrency=1) as client:
        assert list(client.get_ratings()) == ROWS
        assert steps(server)[:4] == [10, 20, 40, 20]
        assert max(limits(server)[6:]) == 20
        server.requests.clear()
        assert list(client.get_ratings()) == ROWS
        assert max(limits(server)) == 20
    assert not [record for record in caplog.records if record.levelno > INFO]


def test_a_maximum_that_falls_while_pages_are_read_is_followed():
    def script(_, query, number):
        most = 1_000 if number < 6 else 25
        return page_of(ROWS, query) if int(query["limit"]) <= most else Response(f"at most {most}", 422)

    with serve(script) as server:
        assert read(server, concurrency=4) == ROWS


@pytest.mark.parametrize("status", [400, 404, 416, 422])
def test_a_refusal_after_the_end_is_not_one_of_the_size(status):
    def script(_, query, number):
        return page_of(ROWS, query, total=None) if int(query["offset"]) < len(ROWS) else Response("no page", status)

    with serve(script) as server:
        assert read(server) == ROWS
        assert steps(server)[:5] == [10, 20, 40, 80, 100]
        assert min(limits(server)) == 10


@kinds
def test_a_request_that_fails_is_repeated_for_fewer_rows(kind, sleeps):
    def script(_, query, number):
        return page_of(ROWS, query) if int(query["limit"]) <= 50 else Response("busy", 503)

    with serve(kind(script)) as server:
        assert read(server) == ROWS
        assert steps(server)[:5] == [10, 20, 40, 80, 40]
        assert limits(server).count(80) <= 5


def test_a_given_page_size_is_requested_again_after_a_failure(sleeps):
    def script(_, query, number):
        return Response("busy", 503) if number == 3 else page_of(ROWS, query)

    with serve(script) as server:
        assert read(server, page_size=80) == ROWS
        assert set(limits(server)) == {80}


def test_requests_in_flight_have_different_sizes_and_leave_no_row_out():
    together = threading.Barrier(4, timeout=20)

    def script(_, query, number):
        if 1 <= number <= 4:
            together.wait()
        return page_of(ROWS, query)

    with serve(script) as server:
        assert read(server, concurrency=4) == ROWS
        assert limits(server)[:5] == [10, 20, 20, 20, 20]
        assert max(limits(server)) == 100


def test_the_next_read_knows_where_the_api_shortens_pages():
    with (
        serve(clamped(lambda _: 30)) as server,
        MovielensClient(server.base_url, tuning=SMALL, concurrency=1) as client,
    ):
        list(client.get_ratings())
        server.requests.clear()
        assert list(client.get_ratings()) == ROWS
        assert steps(server)[:4] == [10, 20, 30, 60]


def test_the_end_of_a_window_is_not_where_the_api_shortens_pages():
    rows = ROWS[:25]
    with serve(lambda _, query, __: page_of(rows, query, total=None)) as server:
        with MovielensClient(server.base_url, tuning=SMALL, concurrency=1) as client:
            assert list(client.get_ratings()) == rows
            rows = ROWS
            server.requests.clear()
            assert list(client.get_ratings()) == ROWS
        assert steps(server)[:4] == [10, 20, 40, 80]


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("error", "smaller"),
    [
        (RetryableError("timeout", EXCHANGE), 2_000),
        (RetryableError("broken", EXCHANGE._replace(status=500)), 2_000),
        (RetryableError("no request"), 2_000),
        (RetryableError("rate limit", EXCHANGE._replace(status=429)), 4_000),
        (RetryableError("rate limit", EXCHANGE._replace(status=503), 1.0), 4_000),
        (BadResponseError("no JSON", EXCHANGE), 2_000),
        (BadRowsError("bad rows", EXCHANGE, ()), 4_000),
        (RatingsChangedError("gone", EXCHANGE), 4_000),
    ],
)
def test_failures_that_large_pages_may_cause_make_them_smaller(error, smaller):
    assert PageSizes(None, PageLimit(), DEFAULT_TUNING).after_failure(4_000, error) == smaller
    assert PageSizes(4_000, PageLimit(), DEFAULT_TUNING).after_failure(4_000, error) == 4_000


@pytest.mark.parametrize(("limit", "smaller"), [(10_000, 5_000), (1_500, 1_000), (1_000, 1_000), (100, 100)])
def test_no_failure_makes_pages_smaller_than_the_first(limit, smaller):
    error = RetryableError("timeout", EXCHANGE)
    assert PageSizes(None, PageLimit(), DEFAULT_TUNING).after_failure(limit, error) == smaller
