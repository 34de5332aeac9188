"""The rate limit: when requests may start."""

from __future__ import annotations

import threading

import pytest

from airflow_movielens.client.errors import (
    AbortedError,
)
from airflow_movielens.client.http.rate_limit import SYSTEM_CLOCK, RateLimit


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


def test_without_a_rate_limit_nothing_waits(sleeps):
    rate_limit = RateLimit()
    for _ in range(1000):
        rate_limit.wait()
    assert sleeps == []


def test_a_pause_delays_all_threads_even_those_that_already_wait(sleeps):
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


def test_abort_ends_all_waits_and_prevents_new_ones():
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
