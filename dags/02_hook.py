"""### 2. The hook

Airflow stores the connection to the API (connection `movielens`), and `MovielensHook` handles pagination and its
pitfalls. The tasks are still custom code.
"""

import json
import os
from datetime import datetime

from airflow.sdk import DAG, ObjectStoragePath, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_movielens.hooks import MovielensHook

DATA_DIR = os.environ.get("MOVIELENS_DATA_DIR", "/tmp/movielens")  # noqa: S108 - easy to find


@task
def fetch_ratings(*, start_date: str, end_date: str, output_path: str) -> str:
    with MovielensHook("movielens") as hook:
        ratings = list(hook.get_ratings(start_date=start_date, end_date=end_date))
    ObjectStoragePath(output_path).parent.mkdir(parents=True, exist_ok=True)
    ObjectStoragePath(output_path).write_text(json.dumps(ratings))
    return output_path


@task
def rank_movies(input_path: str, output_path: str) -> str:
    import pandas as pd

    from airflow_movielens.ranking import rank_movies_by_rating

    columns = ["userId", "movieId", "rating", "timestamp"]
    ratings = pd.DataFrame(json.loads(ObjectStoragePath(input_path).read_text()), columns=columns)
    with MovielensHook("movielens") as hook:
        movies = pd.DataFrame(hook.get_movies())
    ranking = rank_movies_by_rating(ratings, min_ratings=3).merge(movies, on="movieId", how="left")
    ObjectStoragePath(output_path).parent.mkdir(parents=True, exist_ok=True)
    with ObjectStoragePath(output_path).open("w") as file:
        ranking[["movieId", "title", "avg_rating", "num_ratings"]].to_csv(file, index=False)
    return output_path


with DAG(
    dag_id="02_hook",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(1995, 1, 9),
    tags=["movielens"],
):
    rank_movies(
        fetch_ratings(
            start_date="{{ data_interval_start | ds }}",
            end_date="{{ data_interval_end | ds }}",
            output_path=f"{DATA_DIR}/02_hook/ratings/{{{{ data_interval_start | ds }}}}.json",
        ),
        output_path=f"{DATA_DIR}/02_hook/rankings/{{{{ data_interval_start | ds }}}}.csv",
    )
