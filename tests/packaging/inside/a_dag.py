"""A Dag that uses every part of the provider."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_movielens.hooks import MovielensHook
from airflow_movielens.operators import (
    MovielensFetchRatingsOperator,
    MovielensPopularityOperator,
    MovielensRankMoviesOperator,
)
from airflow_movielens.sensors import MovielensRatingsSensor


@task
def count_ratings() -> int:
    with MovielensHook("movielens") as hook:
        return sum(1 for _ in hook.get_ratings("2000-11-21", "2000-11-22"))


with DAG(
    dag_id="all_that_the_provider_offers",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2000, 11, 15, tzinfo=UTC),
):
    wait = MovielensRatingsSensor(task_id="wait", conn_id="movielens")
    fetch = MovielensFetchRatingsOperator(task_id="fetch", conn_id="movielens", output_path="ratings.json")
    rank = MovielensRankMoviesOperator(task_id="rank", input_path="ratings.json", output_path="ranking.csv")
    popularity = MovielensPopularityOperator(task_id="popularity", conn_id="movielens")
    wait >> fetch >> rank >> popularity >> count_ratings()
