"""Our operator, with a connection in the environment."""

from __future__ import annotations

import json
import os

# The package imports these inside functions; imported here, they are not measured, as in `ours`.
import polars as pl  # noqa: F401
import requests  # noqa: F401

import airflow_movielens.client.fetch
import airflow_movielens.hooks
import airflow_movielens.storage.object_output
import airflow_movielens.task_state  # noqa: F401
from airflow_movielens.operators import MovielensFetchRatingsOperator
from benchmarks.client.job import Job, do


def _fetch(job: Job) -> None:
    connection = {"conn_type": "movielens", "host": job.url, "login": job.user, "password": job.password}
    os.environ["AIRFLOW_CONN_MOVIELENS_DEFAULT"] = json.dumps({**connection, "extra": job.settings})
    operator = MovielensFetchRatingsOperator(
        task_id="fetch", output_path=job.output, start_date=job.start, end_date=job.end
    )
    operator.execute({})


if __name__ == "__main__":
    do(_fetch)
