"""Our client alone, without Airflow."""

from __future__ import annotations

# The package imports these inside functions; imported here, they are not measured.
import polars as pl  # noqa: F401
import requests  # noqa: F401

from airflow_movielens.client import MovielensClient, Window
from airflow_movielens.client.fetch import LocalOutput, fetch_ratings
from benchmarks.client.job import Job, do


def _fetch(job: Job) -> None:
    with MovielensClient(job.url, job.user, job.password, **job.settings) as client:
        fetch_ratings(client, Window.of(job.start, job.end), LocalOutput(job.output))


if __name__ == "__main__":
    do(_fetch)
