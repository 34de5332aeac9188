"""A fetch that takes long enough to lose its worker."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_movielens.operators import MovielensFetchRatingsOperator

with DAG("large_fetch", schedule=None, params={"output_path": Param(type="string")}):
    MovielensFetchRatingsOperator(
        task_id="fetch_ratings",
        conn_id="slow",
        start_date="1995-01-09",
        end_date="2016-10-17",
        output_path="{{ params.output_path }}",
        retries=3,
        retry_delay=timedelta(0),
    )
