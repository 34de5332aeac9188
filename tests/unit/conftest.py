"""Unit tests do not wait, and do not see the environment of other tests."""

from __future__ import annotations

import os
import time

import pytest

from airflow_movielens.client.http import rate_limit


class SkippingClock:
    """A clock whose waits end immediately, as if their time had passed; it lists them."""

    def __init__(self):
        self.waits: list[float] = []

    def now(self):
        return time.monotonic() + sum(self.waits)

    def sleep(self, seconds, until):
        self.waits.append(seconds)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """Remove the settings of the integration tests' Dags, which may have run before in this process."""
    for name in [name for name in os.environ if name.startswith("MOVIELENS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def clock():
    """Make a clock whose waits end immediately."""
    return SkippingClock()


@pytest.fixture(autouse=True)
def sleeps(monkeypatch, clock):
    """Skip back-off, pauses and the rate limit's waits; they are listed here.

    The default clock is replaced because connections, operators and command lines make clients of their own.
    """
    monkeypatch.setattr(rate_limit, "SYSTEM_CLOCK", clock)
    return clock.waits
