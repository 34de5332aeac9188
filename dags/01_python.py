"""### 1. The PythonOperator way

Everything by hand: settings from environment variables, a session with authentication, a generator for pagination, a
task that fetches and a task that ranks. This Dag is independent of the others and shows what they improve: if the data
changes, pages may be lost or duplicated; a failed request fails the task; a crash leaves half a file; all ratings are
held in memory.
"""

import json
import os
from datetime import datetime

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, ObjectStoragePath
from airflow.timetables.interval import CronDataIntervalTimetable

DATA_DIR = os.environ.get("MOVIELENS_DATA_DIR", "/tmp/movielens")  # noqa: S108 - easy to find


def _get_session():
    import requests

    session = requests.Session()
    session.auth = (os.environ["MOVIELENS_USER"], os.environ["MOVIELENS_PASSWORD"])
    return session, _get_base_url()


def _get_base_url():
    host = os.environ.get("MOVIELENS_HOST", "localhost")
    if "://" in host:
        return host.rstrip("/")
    schema = os.environ.get("MOVIELENS_SCHEMA", "http")
    port = os.environ.get("MOVIELENS_PORT", "443" if schema == "https" else "5000")
    if not port.isdecimal():
        # Kubernetes sets it to tcp://… for a service named movielens.
        raise ValueError(f"MOVIELENS_PORT is {port!r}: give a port number, or a full URL as MOVIELENS_HOST")
    return f"{schema}://{host}:{port}"


def _get_with_pagination(endpoint, params, batch_size=100):
    session, base_url = _get_session()
    offset, total = 0, None
    while total is None or offset < total:
        response = session.get(
            f"{base_url}/{endpoint}", params={**params, "offset": offset, "limit": batch_size}, timeout=60
        )
        response.raise_for_status()
        page = response.json()
        yield from page["result"]
        offset += batch_size
        total = page["total"]


def _fetch_ratings(start_date, end_date, output_path):
    params = {"start_date": start_date, "end_date": end_date}
    ratings = list(_get_with_pagination("ratings", params))
    ObjectStoragePath(output_path).parent.mkdir(parents=True, exist_ok=True)
    ObjectStoragePath(output_path).write_text(json.dumps(ratings))
    return len(ratings)


def _rank_movies(input_path, output_path, min_ratings=3):
    import pandas as pd

    columns = ["userId", "movieId", "rating", "timestamp"]
    ratings = pd.DataFrame(json.loads(ObjectStoragePath(input_path).read_text()), columns=columns)
    movies = pd.DataFrame(_get_with_pagination("movies", {}, batch_size=1000))
    ranking = (
        ratings.groupby("movieId")
        .agg(avg_rating=("rating", "mean"), num_ratings=("userId", "nunique"))
        .loc[lambda movies: movies["num_ratings"] >= min_ratings]
        .reset_index()
        .merge(movies, on="movieId", how="left")
        .sort_values(["avg_rating", "num_ratings", "movieId"], ascending=[False, False, True])
    )
    ObjectStoragePath(output_path).parent.mkdir(parents=True, exist_ok=True)
    with ObjectStoragePath(output_path).open("w") as file:
        ranking[["movieId", "title", "avg_rating", "num_ratings"]].to_csv(file, index=False)
    return len(ranking)


with DAG(
    dag_id="01_python",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(1995, 1, 9),
    tags=["movielens"],
):
    fetch_ratings = PythonOperator(
        task_id="fetch_ratings",
        python_callable=_fetch_ratings,
        op_kwargs={
            "start_date": "{{ data_interval_start | ds }}",
            "end_date": "{{ data_interval_end | ds }}",
            "output_path": f"{DATA_DIR}/01_python/ratings/{{{{ data_interval_start | ds }}}}.json",
        },
    )
    rank_movies = PythonOperator(
        task_id="rank_movies",
        python_callable=_rank_movies,
        op_kwargs={
            "input_path": f"{DATA_DIR}/01_python/ratings/{{{{ data_interval_start | ds }}}}.json",
            "output_path": f"{DATA_DIR}/01_python/rankings/{{{{ data_interval_start | ds }}}}.csv",
        },
    )
    fetch_ratings >> rank_movies
