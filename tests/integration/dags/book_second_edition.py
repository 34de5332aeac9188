"""Dags as in the book's second edition: unchanged but for the import line."""

import os
from datetime import datetime

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensPopularityOperator

DATA_DIR = os.environ["MOVIELENS_DATA_DIR"]

with DAG(
    dag_id="book_operator",
    description="Fetches ratings from the Movielens API using a custom operator.",
    start_date=datetime(2000, 1, 1),
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    default_args={"start_date": datetime(2000, 1, 1)},
):
    MovielensFetchRatingsOperator(
        task_id="fetch_ratings",
        conn_id="movielens",
        start_date="{{data_interval_start | ds}}",
        end_date="{{data_interval_end | ds}}",
        output_path=DATA_DIR + "/book/{{data_interval_start | ds}}.json",
    )

with DAG(
    dag_id="book_popularity",
    start_date=datetime(2000, 1, 1),
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
):
    MovielensPopularityOperator(
        task_id="popularity",
        conn_id="movielens",
        start_date="{{data_interval_start | ds}}",
        end_date="{{data_interval_end | ds}}",
        min_ratings=4,
        top_n=5,
    )
