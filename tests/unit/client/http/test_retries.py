"""Requests that fail: which are retried, how often, after which wait, and what the last error reports."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from unit.client_reads import ROWS, read
from unit.scripted_server import Response, page_of, serve

from airflow_movielens.client import MovielensClient
from airflow_movielens.client.errors import (
    AbortedError,
    BadResponseError,
    BadRow,
    BadRowsError,
    DataError,
    Exchange,
    FatalError,
    RatingsChangedError,
    RetryableError,
)
from airflow_movielens.client.http.error_mapping import retry_after
from airflow_movielens.client.http.rate_limit import RateLimit
from airflow_movielens.client.http.retries import MAX_BACK_OFF, Retries, back_off

HERE = "http://localhost/ratings"


def busy(status=503, retry_after=None):
    return RetryableError("the API is busy or broken", Exchange("GET", HERE, status), retry_after)


SILENT = RetryableError("the API did not respond in time", Exchange("GET", HERE))


class Failing:
    """Raises one error after the other, then returns ``"done"``."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_a_truncated_body_is_retried():
    def script(_, query, number):
        page = page_of(ROWS, query)
        page.cut_after = 50 if number in {1, 4} else None
        return page

    with serve(script) as server:
        assert read(server) == ROWS


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_a_temporary_failure_is_retried(status, sleeps):
    with serve(lambda _, query, number: page_of(ROWS, query) if number >= 3 else Response({}, status)) as server:
        assert read(server) == ROWS
    assert len(sleeps) == 3


def test_a_lasting_failure_is_raised_after_the_last_retry(sleeps):
    with serve(lambda *_: Response({"detail": "gone fishing"}, 503)) as server:
        with pytest.raises(RetryableError, match="returned 503: gone fishing"):
            read(server, retries=2)
        assert len(server.requests) == 3


def test_back_off_grows(sleeps):
    with serve(lambda *_: Response({}, 500)) as server, pytest.raises(RetryableError):
        read(server, retries=4)
    assert all(floor <= wait <= floor + 1 for floor, wait in zip([1, 2, 4, 8], sleeps, strict=True))


@pytest.mark.parametrize("seconds", [2, 7.5, 299])
def test_the_client_waits_a_little_longer_than_retry_after_so_that_clients_do_not_retry_in_step(seconds, sleeps):
    def script(_, query, number):
        return page_of(ROWS, query) if number else Response({}, 429, {"Retry-After": str(seconds)})

    with serve(script) as server:
        assert read(server) == ROWS
    (wait,) = sleeps
    assert seconds - 0.5 <= wait <= seconds + 1


@pytest.mark.parametrize(("status", "headers"), [(429, {}), (429, {"Retry-After": "0.5"}), (503, {"Retry-After": "1"})])
def test_a_rate_limit_is_one_warning_for_a_whole_fetch(status, headers, sleeps, caplog):
    refused = set()

    def script(_, query, __):
        if query["offset"] in refused:
            return page_of(ROWS, query)
        refused.add(query["offset"])
        return Response({}, status, headers)

    with serve(script) as server:
        assert read(server) == ROWS
    assert len(sleeps) > 1
    assert len([record for record in caplog.records if f"returned {status}" in record.message]) == 1


def test_the_client_does_not_wait_for_an_hour(sleeps):
    with serve(lambda *_: Response({}, 429, {"Retry-After": "3600"})) as server:
        with pytest.raises(RetryableError, match="asks to wait 3,600 s") as caught:
            read(server)
        assert len(server.requests) == 1
    assert caught.value.retry_after == 3600
    assert sleeps == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 415, 422, 418, 204, 304])
def test_an_error_that_a_retry_cannot_fix_fails_at_once(status, sleeps):
    with serve(lambda *_: Response({"detail": "the server's own words"} if status >= 400 else b"", status)) as server:
        with pytest.raises(FatalError, match=f"returned {status}") as caught:
            read(server)
        assert len(server.requests) == 1
    assert sleeps == []
    assert status < 400 or "the server's own words" in str(caught.value)


def test_a_server_that_never_responds_is_a_timeout(sleeps):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with MovielensClient(base_url, retries=1, read_timeout=0.2) as client:
            with pytest.raises(RetryableError, match="did not respond in time"):
                client.count_ratings()
    assert len(sleeps) == 1


def test_failures_are_logged_and_the_call_is_retried(sleeps):
    call, troubles = Failing(busy(), SILENT), []
    assert Retries(2, RateLimit(), troubles.append).run(call) == "done"
    assert [str(trouble.args[0]) for trouble in troubles] == ["the API is busy or broken", SILENT.args[0]]
    assert len(sleeps) == 2


def test_the_last_error_summarises_the_attempts():
    troubles = []
    with pytest.raises(RetryableError) as caught:
        Retries(3, RateLimit(), troubles.append).run(Failing(busy(), busy(), SILENT, busy(500)))
    assert type(caught.value) is RetryableError
    assert caught.value.exchange == Exchange("GET", HERE, 500)
    assert str(caught.value).startswith("gave up after 4 attempts in ")
    assert "s (503 twice, then the API did not respond in time, then 500), last: the API is busy" in str(caught.value)
    assert len(troubles) == 3


def test_without_retries_the_error_lists_no_attempts():
    with pytest.raises(RetryableError, match=r"^the API did not respond in time"):
        Retries(0, RateLimit()).run(Failing(SILENT))


@pytest.mark.parametrize(
    "error", [RatingsChangedError("gone"), FatalError("no"), AbortedError("over"), DataError("bad")]
)
def test_errors_that_a_retry_cannot_fix_are_raised_at_once(error, sleeps):
    call = Failing(error, error)
    with pytest.raises(type(error)) as caught:
        Retries(3, RateLimit()).run(call)
    assert caught.value is error
    assert (call.calls, sleeps) == (1, [])


def test_bad_responses_become_data_errors_that_keep_the_rows():
    rows = [BadRow(HERE, 1, "rating", "found 7", {})]
    bad = BadRowsError("row 1", Exchange("GET", HERE, 200), rows)
    with pytest.raises(DataError, match=r"gave up after 2 attempts .*last: row 1") as caught:
        Retries(1, RateLimit()).run(Failing(bad, bad))
    assert caught.value.bad_rows == tuple(rows)
    with pytest.raises(DataError, match="no JSON") as caught:
        Retries(0, RateLimit()).run(Failing(BadResponseError("no JSON", bad.exchange)))
    assert caught.value.bad_rows == ()


def test_retry_after_holds_for_the_whole_client(sleeps):
    rate_limit = RateLimit()
    assert Retries(3, rate_limit).run(Failing(busy(429, 40.0))) == "done"
    assert sleeps == []
    rate_limit.branch().wait()
    (wait,) = sleeps
    assert 39.9 <= wait <= 41  # and up to a second of jitter


@pytest.mark.parametrize("asked", [0.0, 0.5])
def test_a_short_retry_after_never_shortens_the_back_off(asked, sleeps):
    rate_limit, call = RateLimit(), Failing(*[busy(429, asked)] * 3)

    def at_its_turn():
        rate_limit.wait()
        return call()

    assert Retries(3, rate_limit).run(at_its_turn) == "done"
    assert all(floor - 0.1 <= wait <= floor + 1 for floor, wait in zip([1, 2, 4], sleeps, strict=True))


def test_the_client_does_not_wait_longer_than_five_minutes(sleeps):
    call = Failing(busy(429, 3600.0))
    with pytest.raises(RetryableError, match=r"asks to wait 3,600 s") as caught:
        Retries(3, RateLimit()).run(call)
    assert caught.value.retry_after == 3600
    assert (call.calls, sleeps) == (1, [])


def test_back_off_grows_to_a_bound_with_jitter():
    for attempt, floor in [(1, 1), (2, 2), (3, 4), (7, MAX_BACK_OFF), (5000, MAX_BACK_OFF)]:
        waits = {back_off(attempt) for _ in range(20)}
        assert floor <= min(waits) < max(waits) <= floor + 1


NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": " 7 "}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "1.25 "}, 1.25),
        ({"Retry-After": "1e3"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "9" * 400}, float("inf")),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 99 Foo 2020"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 +" + "9" * 20}, None),
        ({}, None),
        ({"Retry-After": format_datetime(NOW - timedelta(hours=1), usegmt=True)}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT", "Date": "Wed, 21 Oct 2015 07:27:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 -0000", "Date": "nonsense"}, 0.0),
    ],
)
def test_retry_after_is_understood_in_both_forms(headers, seconds):
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date_is_counted_from_now_without_the_servers_clock():
    headers = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)}
    assert retry_after(headers) == pytest.approx(100, abs=20)
