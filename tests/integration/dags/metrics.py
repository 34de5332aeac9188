"""Tasks that send metrics: a fetch, one that is refused, and a promotion."""

from __future__ import annotations

import os

from airflow.sdk import DAG

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensPromoteOperator

FOLDER = f"{os.environ['MOVIELENS_DATA_DIR']}/metrics"
WINDOW = {"start_date": "1970-01-02", "end_date": "1970-01-03"}

with DAG("metrics", schedule=None):
    for task_id in ("fetch", "refused"):
        MovielensFetchRatingsOperator(
            task_id=task_id,
            conn_id=task_id,
            output_path=f"{FOLDER}/{task_id}.csv",
            batch_size=100,
            on_bad_rows="quarantine",
            **WINDOW,
        )
    MovielensPromoteOperator(task_id="promote", registry=f"{FOLDER}/registry", evaluation_path=f"{FOLDER}/evaluation")
