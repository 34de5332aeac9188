"""The five Dags of the book's chapter on custom components, rewritten; only the imports are ours."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_movielens.book import (
    MovielensFetchRatingsOperator,
    MovielensHook,
    MovielensRatingsSensor,
    MovielensSensorAsync,
    rank_movies_by_rating,
)

DATA_DIR = os.environ["MOVIELENS_DATA_DIR"]
WINDOW = {"start_date": "{{data_interval_start | ds}}", "end_date": "{{data_interval_end | ds}}"}


def chapter_dag(dag_id):
    schedule = CronDataIntervalTimetable("@daily", timezone="UTC")
    return DAG(dag_id=dag_id, start_date=datetime(2000, 1, 1), schedule=schedule, catchup=True)


def file_of(dag_id, ending="json"):
    return f"{DATA_DIR}/{dag_id}/{{{{data_interval_start | ds}}}}.{ending}"


def _write(ratings, path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(ratings))


def _pages(session, url, query, batch_size):
    offset, total = 0, 1
    while offset < total:
        answer = session.get(url, params={**query, "offset": offset, "limit": batch_size})
        answer.raise_for_status()
        page = answer.json()
        yield from page["result"]
        offset, total = offset + batch_size, page["total"]


def _fetch_by_hand(templates_dict, batch_size=1000, **_):
    import requests

    output_path = templates_dict.pop("output_path")
    with requests.Session() as session:
        session.auth = ("airflow", "airflow")
        _write(list(_pages(session, os.environ["BOOK_API"] + "/ratings", templates_dict, batch_size)), output_path)


def _fetch_by_hook(conn_id, templates_dict, batch_size=1000, **_):
    hook = MovielensHook(conn_id=conn_id)
    output_path = templates_dict.pop("output_path")
    _write(list(hook.get_ratings(**templates_dict, batch_size=batch_size)), output_path)


def _rank_movies(templates_dict, min_ratings=2, **_):
    import pandas as pd

    ratings = pd.read_json(templates_dict["input_path"])
    ranking = rank_movies_by_rating(ratings, min_ratings=min_ratings)
    ranking.to_csv(templates_dict["output_path"], index=True)


with chapter_dag("chapter_01_python"):
    paths = {"input_path": file_of("chapter_01_python"), "output_path": file_of("chapter_01_python", "csv")}
    fetch = PythonOperator(
        task_id="fetch_ratings",
        python_callable=_fetch_by_hand,
        templates_dict={**WINDOW, "output_path": paths["input_path"]},
    )
    fetch >> PythonOperator(task_id="rank_movies", python_callable=_rank_movies, templates_dict=paths)

with chapter_dag("chapter_02_hook"):
    PythonOperator(
        task_id="fetch_ratings",
        python_callable=_fetch_by_hook,
        op_kwargs={"conn_id": "movielens"},
        templates_dict={**WINDOW, "output_path": file_of("chapter_02_hook")},
    )

with chapter_dag("chapter_03_operator"):
    MovielensFetchRatingsOperator(
        task_id="fetch_ratings", conn_id="movielens", **WINDOW, output_path=file_of("chapter_03_operator")
    )

with chapter_dag("chapter_04_sensor"):
    wait = MovielensRatingsSensor(task_id="wait_for_ratings", conn_id="movielens", **WINDOW)
    wait >> MovielensFetchRatingsOperator(
        task_id="fetch_ratings", conn_id="movielens", **WINDOW, output_path=file_of("chapter_04_sensor")
    )

with chapter_dag("chapter_05_deferrable_sensor"):
    wait = MovielensSensorAsync(
        task_id="wait_for_ratings", conn_id="movielens", **WINDOW, execution_timeout=timedelta(seconds=60)
    )
    wait >> MovielensFetchRatingsOperator(
        task_id="fetch_ratings", conn_id="movielens", **WINDOW, output_path=file_of("chapter_05_deferrable_sensor")
    )

with chapter_dag("chapter_05_without_ratings"):
    MovielensSensorAsync(
        task_id="wait_for_ratings",
        conn_id="movielens",
        **WINDOW,
        sleep_interval=0.1,
        execution_timeout=timedelta(seconds=1),
    )
