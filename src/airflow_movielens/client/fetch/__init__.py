"""A whole window of ratings into a file, exactly, and going on where a killed attempt stopped."""

from __future__ import annotations

from airflow_movielens.client.fetch.checkpoint import Checkpoints
from airflow_movielens.client.fetch.fetching import fetch_ratings, fetched_rows
from airflow_movielens.client.fetch.manifest import Manifest
from airflow_movielens.client.fetch.output import LocalOutput, Output, PartsFolder
from airflow_movielens.client.fetch.progress import LogProgress, Progress

__all__ = [
    "Checkpoints",
    "LocalOutput",
    "LogProgress",
    "Manifest",
    "Output",
    "PartsFolder",
    "Progress",
    "fetch_ratings",
    "fetched_rows",
]
