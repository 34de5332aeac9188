"""Our operator, with a connection in the environment, as in a task in which Airflow has been loaded."""

from __future__ import annotations

import os

# The package imports these inside functions; imported here, they are not measured.
import airflow.models
import airflow.providers.postgres.hooks.postgres  # noqa: F401
import numpy as np  # noqa: F401
import psycopg  # noqa: F401

import airflow_movielens.hooks
import airflow_movielens.postgres.input_rows
import airflow_movielens.postgres.loading
import airflow_movielens.postgres.scope
import airflow_movielens.storage.inputs  # noqa: F401
from airflow_movielens.operators import MovielensToPostgresOperator
from benchmarks.postgres.job import Job, do
from benchmarks.postgres.ratings import FIRST_DAY, LAST_DAY


def _load(job: Job) -> None:
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = job.url
    operator = MovielensToPostgresOperator(
        task_id="load",
        postgres_conn_id="warehouse",
        table="ratings",
        input_path=str(job.file),
        create_table=True,
        start_date=FIRST_DAY,
        end_date=LAST_DAY,
    )
    operator.execute({})


if __name__ == "__main__":
    do(_load)
