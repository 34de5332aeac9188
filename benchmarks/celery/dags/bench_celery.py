"""A day per run, from an API that answers at once and from one that is slow, and one large fetch."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronPartitionTimetable

from airflow_movielens.operators import MovielensFetchRatingsOperator

DATA_DIR = os.environ["MOVIELENS_DATA_DIR"]

for conn_id in ("movielens", "slow"):
    with DAG(
        f"month_{conn_id}",
        schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
        start_date=datetime(1995, 1, 9, tzinfo=UTC),
    ):
        MovielensFetchRatingsOperator(
            task_id="fetch_ratings",
            conn_id=conn_id,
            output_path=f"{DATA_DIR}/month/{conn_id}/{{{{ partition_key }}}}.parquet",
        )

with DAG("large_fetch", schedule=None):
    MovielensFetchRatingsOperator(
        task_id="fetch_ratings",
        conn_id="large",
        start_date="1995-01-09",
        end_date="2016-10-17",
        output_path=f"{DATA_DIR}/large/{{{{ run_id }}}}.parquet",
        retries=3,
        retry_delay=timedelta(0),
    )
