"""### 3. The operators

No custom code is left, only what to fetch and where to store it. The window of days comes from the run. The operators
ignore the Dag's `default_args["start_date"]`.
"""

import os
from datetime import datetime

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator

DATA_DIR = os.environ.get("MOVIELENS_DATA_DIR", "/tmp/movielens")  # noqa: S108 - easy to find
RATINGS = f"{DATA_DIR}/03_operator/ratings/{{{{ data_interval_start | ds }}}}.json"
RANKING = f"{DATA_DIR}/03_operator/rankings/{{{{ data_interval_start | ds }}}}.csv"

with DAG(
    dag_id="03_operator",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    default_args={"start_date": datetime(1995, 1, 9), "conn_id": "movielens", "retries": 1},
    tags=["movielens"],
):
    fetch_ratings = MovielensFetchRatingsOperator(task_id="fetch_ratings", output_path=RATINGS)
    rank_movies = MovielensRankMoviesOperator(task_id="rank_movies", input_path=RATINGS, output_path=RANKING)
    fetch_ratings >> rank_movies
