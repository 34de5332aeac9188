"""When requests begin, which are repeated, and the story of those that failed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

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
from airflow_movielens.client.http.rate_limit import SYSTEM_CLOCK, RateLimit
from airflow_movielens.client.http.retries import LONGEST_BACK_OFF, Retries, back_off

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


def test_starts_are_spaced_evenly(sleeps):
    rate_limit = RateLimit(requests_per_second=10)
    for _ in range(5):
        rate_limit.wait()
    assert sleeps == pytest.approx([0.1] * 4, abs=0.02)


def test_starts_are_spaced_across_threads(sleeps):
    rate_limit = RateLimit(requests_per_second=1)
    threads = [
        threading.Thread(target=branch.wait)
        for branch in (rate_limit, rate_limit.branch(), rate_limit.branch())
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sleeps) == 11


def test_without_a_rate_nothing_waits(sleeps):
    rate_limit = RateLimit()
    for _ in range(1000):
        rate_limit.wait()
    assert sleeps == []


def test_a_pause_holds_for_all_and_for_those_who_wait_already(sleeps):
    rate_limit = RateLimit(requests_per_second=1)
    rate_limit.pause(7)
    rate_limit.branch().wait()
    rate_limit.wait()
    assert sleeps == pytest.approx([7, 1], abs=0.1)


def test_a_pause_that_begins_during_a_wait_is_waited_for(clock):
    class PausingClock:
        now = staticmethod(clock.now)

        def sleep(self, seconds, until):
            clock.sleep(seconds, until)
            if len(clock.waits) == 1:
                rate_limit.pause(5)

    rate_limit = RateLimit(requests_per_second=1, clock=PausingClock())
    rate_limit.wait()
    rate_limit.wait()
    assert len(clock.waits) == 2
    assert clock.waits[1] == pytest.approx(5, abs=0.1)


def test_a_shorter_pause_does_not_end_a_longer_one(sleeps):
    rate_limit = RateLimit()
    rate_limit.pause(9)
    rate_limit.pause(1)
    rate_limit.wait()
    assert sleeps == pytest.approx([9], abs=0.1)


def test_abort_ends_waits_and_forbids_more():
    rate_limit, errors = RateLimit(clock=SYSTEM_CLOCK), []
    rate_limit.pause(1000)

    def wait(call):
        try:
            call()
        except AbortedError as error:
            errors.append(error)

    calls = [
        rate_limit.wait,
        rate_limit.branch().wait,
        lambda: rate_limit.sleep(1000),
        lambda: rate_limit.branch().sleep(1000),
    ]
    threads = [threading.Thread(target=wait, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    rate_limit.abort()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 4
    for call in calls:
        with pytest.raises(AbortedError):
            call()


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


def test_without_retries_there_is_no_story():
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


def test_a_wait_that_the_server_asks_for_holds_for_the_whole_client(sleeps):
    rate_limit = RateLimit()
    assert Retries(3, rate_limit).run(Failing(busy(429, 40.0))) == "done"
    assert sleeps == []
    rate_limit.branch().wait()
    (wait,) = sleeps
    assert 39.9 <= wait <= 41  # and up to a second of jitter


@pytest.mark.parametrize("asked", [0.0, 0.5])
def test_a_short_wait_that_the_server_asks_for_never_shortens_the_back_off(asked, sleeps):
    rate_limit, call = RateLimit(), Failing(*[busy(429, asked)] * 3)

    def at_its_turn():
        rate_limit.wait()
        return call()

    assert Retries(3, rate_limit).run(at_its_turn) == "done"
    assert all(floor - 0.1 <= wait <= floor + 1 for floor, wait in zip([1, 2, 4], sleeps, strict=True))


def test_too_long_a_wait_is_not_waited_for(sleeps):
    call = Failing(busy(429, 3600.0))
    with pytest.raises(RetryableError, match=r"asks to wait 3,600 s") as caught:
        Retries(3, RateLimit()).run(call)
    assert caught.value.retry_after == 3600
    assert (call.calls, sleeps) == (1, [])


def test_back_off_grows_to_a_bound_with_jitter():
    for attempt, floor in [(1, 1), (2, 2), (3, 4), (7, LONGEST_BACK_OFF), (5000, LONGEST_BACK_OFF)]:
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
