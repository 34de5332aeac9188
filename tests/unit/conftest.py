"""Retries in unit tests do not wait."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tenacity.nap


@pytest.fixture(autouse=True)
def sleeps(monkeypatch):
    """Skip back-off; the waits asked for are listed here."""
    waits: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=waits.append))
    return waits
