"""Requests that fail: which are retried, how often, and after which wait."""

from __future__ import annotations

import socket

import pytest
from unit.client_reads import ROWS, read
from unit.scripted_server import Answer, page_of, serve

from airflow_movielens.client import FatalError, MovielensClient, RetryableError


def test_a_truncated_body_is_retried():
    def script(_, query, number):
        page = page_of(ROWS, query)
        page.cut_after = 50 if number in {1, 4} else None
        return page

    with serve(script) as server:
        assert read(server) == ROWS


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_a_temporary_failure_is_retried(status, sleeps):
    with serve(lambda _, query, number: page_of(ROWS, query) if number >= 3 else Answer({}, status)) as server:
        assert read(server) == ROWS
    assert len(sleeps) == 3


def test_a_lasting_failure_is_raised_after_the_last_retry(sleeps):
    with serve(lambda *_: Answer({"detail": "gone fishing"}, 503)) as server:
        with pytest.raises(RetryableError, match="returned 503: gone fishing"):
            read(server, retries=2)
        assert len(server.requests) == 3


def test_back_off_grows(sleeps):
    with serve(lambda *_: Answer({}, 500)) as server, pytest.raises(RetryableError):
        read(server, retries=4)
    assert all(floor <= wait <= floor + 1 for floor, wait in zip([1, 2, 4, 8], sleeps, strict=True))


@pytest.mark.parametrize("seconds", [2, 7.5, 299])
def test_the_client_waits_a_little_longer_than_retry_after_so_that_clients_do_not_retry_in_step(seconds, sleeps):
    def script(_, query, number):
        return page_of(ROWS, query) if number else Answer({}, 429, {"Retry-After": str(seconds)})

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
        return Answer({}, status, headers)

    with serve(script) as server:
        assert read(server) == ROWS
    assert len(sleeps) > 1
    assert len([record for record in caplog.records if f"returned {status}" in record.message]) == 1


def test_the_client_does_not_wait_for_an_hour(sleeps):
    with serve(lambda *_: Answer({}, 429, {"Retry-After": "3600"})) as server:
        with pytest.raises(RetryableError, match="asks to wait 3,600 s") as caught:
            read(server)
        assert len(server.requests) == 1
    assert caught.value.retry_after == 3600
    assert sleeps == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 415, 422, 418, 204, 304])
def test_an_error_that_a_retry_cannot_fix_fails_at_once(status, sleeps):
    with serve(lambda *_: Answer({"detail": "the server's own words"} if status >= 400 else b"", status)) as server:
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
