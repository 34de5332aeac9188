"""Waits in the triggerer for the first ratings of a day."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import DAG

from airflow_movielens.operators import MovielensFetchRatingsOperator
from airflow_movielens.sensors import MovielensRatingsSensor

DAY = {"start_date": "{{ dag_run.conf.start_date }}", "end_date": "{{ dag_run.conf.end_date }}"}
OUTPUT = f"{os.environ['MOVIELENS_DATA_DIR']}/arrival.csv"

with DAG("arrival", start_date=datetime(2000, 1, 1), schedule=None, default_args={"conn_id": "movielens"}):
    wait = MovielensRatingsSensor(task_id="wait_for_ratings", deferrable=True, poke_interval=1, **DAY)
    wait >> MovielensFetchRatingsOperator(task_id="fetch_ratings", output_path=OUTPUT, **DAY)
