"""### 4. The sensor

The sensor waits until the day has ratings, and then the day is fetched. While the sensor waits, it holds no worker slot
(`mode="reschedule"`). If the day still has no ratings after the timeout, the run is skipped (`soft_fail=True`) instead
of failing. `MOVIELENS_SENSOR_TIMEOUT` sets the timeout in seconds (default: one hour).
"""

import os
from datetime import datetime

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator
from airflow_movielens.sensors import MovielensRatingsSensor

DATA_DIR = os.environ.get("MOVIELENS_DATA_DIR", "/tmp/movielens")  # noqa: S108 - easy to find
TIMEOUT = float(os.environ.get("MOVIELENS_SENSOR_TIMEOUT", "3600"))
START, END = "{{ data_interval_start | ds }}", "{{ data_interval_end | ds }}"
RATINGS = f"{DATA_DIR}/04_sensor/ratings/{START}.json"
RANKING = f"{DATA_DIR}/04_sensor/rankings/{START}.csv"

with DAG(
    dag_id="04_sensor",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(1995, 1, 9),
    tags=["movielens"],
):
    wait_for_ratings = MovielensRatingsSensor(
        task_id="wait_for_ratings",
        conn_id="movielens",
        start_date=START,
        end_date=END,
        mode="reschedule",
        poke_interval=min(60.0, TIMEOUT / 2),
        timeout=TIMEOUT,
        soft_fail=True,
    )
    fetch_ratings = MovielensFetchRatingsOperator(
        task_id="fetch_ratings", conn_id="movielens", start_date=START, end_date=END, output_path=RATINGS
    )
    rank_movies = MovielensRankMoviesOperator(
        task_id="rank_movies", conn_id="movielens", input_path=RATINGS, output_path=RANKING
    )
    wait_for_ratings >> fetch_ratings >> rank_movies
