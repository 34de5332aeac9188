"""Our operator, with a connection in the environment, as in a task in which Airflow has been loaded."""

from __future__ import annotations

import os
import sys

# The package imports these inside functions; imported here, they are not measured.
import airflow.models
import airflow.providers.postgres.hooks.postgres  # noqa: F401
import numpy as np  # noqa: F401
import psycopg  # noqa: F401
from airflow.sdk import BaseHook

import airflow_movielens.hooks
import airflow_movielens.postgres.input_rows
import airflow_movielens.postgres.loading
import airflow_movielens.postgres.scope
import airflow_movielens.storage.inputs  # noqa: F401
from airflow_movielens.operators import MovielensToPostgresOperator
from benchmarks.postgres.job import Job, do
from benchmarks.postgres.ratings import FIRST_DAY, LAST_DAY


def _load(job: Job) -> None:
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
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = sys.argv[1]
    # The first lookup imports more of Airflow, which a task has loaded.
    BaseHook.get_connection("warehouse")
    do(_load)
