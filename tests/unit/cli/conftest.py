"""Fixtures for the tests of the command line."""

from __future__ import annotations

import logging

import pytest
from unit.command_line import WINDOW

from airflow_movielens.cli import main


@pytest.fixture(autouse=True)
def logging_as_before():
    """Undo what ``--quiet`` changes."""
    logger = logging.getLogger("airflow_movielens")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def environment(api, monkeypatch):
    """Set the variables that name the running API."""
    monkeypatch.setenv("MOVIELENS_HOST", api.base_url)
    monkeypatch.setenv("MOVIELENS_USER", api.user)
    monkeypatch.setenv("MOVIELENS_PASSWORD", api.password)


@pytest.fixture
def fetched(environment, tmp_path):
    """Fetch `WINDOW` into a Parquet file."""
    path = tmp_path / "ratings.parquet"
    assert main(["fetch", *WINDOW, "--output-path", str(path), "--quiet"]) == 0
    return path
