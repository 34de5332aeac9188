"""Dags as in the book's second edition: with only the import line changed."""
# ruff: noqa: PTH103, PTH120, PTH123 - as the book has it

from __future__ import annotations

import json
import logging
import os
from datetime import datetime

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_movielens.hooks import MovielensHook
from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensPopularityOperator
from airflow_movielens.ranking import rank_movies_by_rating
from airflow_movielens.sensors import MovielensRatingsSensor

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


def _fetch_ratings(conn_id, templates_dict, batch_size=1000, **_):
    logger = logging.getLogger(__name__)

    start_date = templates_dict["start_date"]
    end_date = templates_dict["end_date"]
    output_path = templates_dict["output_path"]

    logger.info(f"Fetching ratings for {start_date} to {end_date}")
    hook = MovielensHook(conn_id=conn_id)
    ratings = list(hook.get_ratings(start_date=start_date, end_date=end_date, batch_size=batch_size))
    logger.info(f"Fetched {len(ratings)} ratings")

    logger.info(f"Writing ratings to {output_path}")

    output_dir = os.path.dirname(output_path)
    os.makedirs(output_dir, exist_ok=True)

    with open(output_path, "w") as file_:
        json.dump(ratings, fp=file_)


def _rank_movies(templates_dict, min_ratings=2, **_):
    import pandas as pd

    input_path = templates_dict["input_path"]
    output_path = templates_dict["output_path"]

    ratings = pd.read_json(input_path)
    ranking = rank_movies_by_rating(ratings, min_ratings=min_ratings)

    output_dir = os.path.dirname(output_path)
    os.makedirs(output_dir, exist_ok=True)

    ranking.to_csv(output_path, index=True)


with DAG(
    dag_id="book_hook",
    description="Fetches ratings from the Movielens API using a custom hook.",
    start_date=datetime(2000, 1, 1),
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
):
    fetch_ratings = PythonOperator(
        task_id="fetch_ratings",
        python_callable=_fetch_ratings,
        op_kwargs={"conn_id": "movielens"},
        templates_dict={
            "start_date": "{{data_interval_start | ds}}",
            "end_date": "{{data_interval_end | ds}}",
            "output_path": DATA_DIR + "/book_hook/{{data_interval_start | ds}}.json",
        },
    )
    rank_movies = PythonOperator(
        task_id="rank_movies",
        python_callable=_rank_movies,
        templates_dict={
            "input_path": DATA_DIR + "/book_hook/{{data_interval_start | ds}}.json",
            "output_path": DATA_DIR + "/book_hook/{{data_interval_start | ds}}.csv",
        },
    )
    fetch_ratings >> rank_movies

with DAG(
    dag_id="book_sensor",
    description="Fetches ratings from the Movielens API, with a custom sensor.",
    start_date=datetime(2000, 1, 1),
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
):
    wait_for_ratings = MovielensRatingsSensor(
        task_id="wait_for_ratings",
        conn_id="movielens",
        start_date="{{data_interval_start | ds}}",
        end_date="{{data_interval_end | ds}}",
    )
    fetch_ratings = MovielensFetchRatingsOperator(
        task_id="fetch_ratings",
        conn_id="movielens",
        start_date="{{data_interval_start | ds}}",
        end_date="{{data_interval_end | ds}}",
        output_path=DATA_DIR + "/book_sensor/{{data_interval_start | ds}}.json",
    )
    wait_for_ratings >> fetch_ratings

with DAG(dag_id="book_without_dates", start_date=datetime(2000, 1, 1), schedule="@daily"):
    wait_for_ratings = MovielensRatingsSensor(task_id="wait_for_ratings", conn_id="movielens")
    fetch_ratings = MovielensFetchRatingsOperator(
        task_id="fetch_ratings", conn_id="movielens", output_path=DATA_DIR + "/book_without_dates/{{ ds }}.json"
    )
    popularity = MovielensPopularityOperator(task_id="popularity", conn_id="movielens", min_ratings=2)
    wait_for_ratings >> fetch_ratings >> popularity
