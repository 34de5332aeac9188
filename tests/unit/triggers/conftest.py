"""Fixtures of the triggers' tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def back_offs(monkeypatch):
    """Skip back-offs, and return the numbers of failures in a row after which there was one."""
    failures = []
    # Airflow creates triggers from values that it can store: a function is not among them.
    monkeypatch.setattr("airflow_movielens.client.http.retries.back_off", lambda number: failures.append(number) or 0)
    return failures
