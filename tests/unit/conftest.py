"""Waits in unit tests do not take their time."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import tenacity.nap

from airflow_movielens.client.http import rate_limit


@pytest.fixture(autouse=True)
def sleeps(monkeypatch):
    """Skip back-off, pauses and the rate limit's waits, as if their time had passed; they are listed here."""
    waits: list[float] = []
    monkeypatch.setattr(rate_limit, "sleep", lambda _, seconds: waits.append(seconds))
    monkeypatch.setattr(rate_limit, "now", lambda: time.monotonic() + sum(waits))
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=waits.append))
    return waits
