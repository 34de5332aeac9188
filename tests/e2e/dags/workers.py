"""Tasks that lose their process or their worker, time out, or retry."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG, task

from airflow_movielens.hooks import MovielensHook
from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator
from airflow_movielens.retry_policy import movielens_retry_policy

FOLDER = f"{os.environ['MOVIELENS_DATA_DIR']}/workers"
BEGINNING = datetime(2000, 1, 1)

with DAG("workers_mapped", start_date=BEGINNING, schedule=None, default_args={"start_date": BEGINNING}):
    fetch = MovielensFetchRatingsOperator.partial(
        task_id="fetch_ratings",
        conn_id="slow",
        retries=2,
        retry_delay=timedelta(0),
        max_active_tis_per_dag=2,
        map_index_template="{{ task.output_path.rpartition('/')[2] }}",
    ).expand_kwargs(
        [
            {"start_date": f"{year}-01-01", "end_date": f"{year + 1}-01-01", "output_path": f"{FOLDER}/{year}.csv"}
            for year in (1996, 2000, 2005)
        ]
    )
    MovielensRankMoviesOperator.partial(
        task_id="rank_movies", output_path=f"{FOLDER}/ranking-{{{{ ti.map_index }}}}.csv", min_ratings=10
    ).expand(input_path=fetch.output)

with DAG("workers_stopped", start_date=BEGINNING, schedule=None):
    MovielensFetchRatingsOperator(
        task_id="fetch_ratings",
        conn_id="slow",
        start_date="1996-01-01",
        end_date="1997-01-01",
        output_path=f"{FOLDER}/stopped.parquet",
    )

with DAG("workers_timed_out", start_date=BEGINNING, schedule=None):
    MovielensFetchRatingsOperator(
        task_id="fetch_ratings",
        conn_id="slow",
        start_date="1996-01-01",
        end_date="1997-01-01",
        output_path=f"{FOLDER}/timed_out.json",
        execution_timeout=timedelta(seconds=6),
        retries=9,
        retry_delay=timedelta(0),
    )

with DAG(
    "workers_retries",
    start_date=BEGINNING,
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(0), "retry_policy": movielens_retry_policy()},
):

    @task
    def count(conn_id):
        with MovielensHook(conn_id, retry=0) as hook:
            return hook.client.count_ratings("2000-11-20", "2000-11-21")

    count.override(task_id="refused")("wrong_password")
    count.override(task_id="put_off")("busy")
