"""Tasks and assets that wait for ratings in the triggerer."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_movielens.sensors import MovielensRatingsSensor
from airflow_movielens.triggers import MovielensNewRatingsTrigger

BEGINNING = datetime(2000, 1, 1)

with DAG("waiting_sensors", start_date=BEGINNING, schedule=None):
    for number in (1, 2, 3):
        MovielensRatingsSensor(
            task_id=f"wait_for_{number}",
            conn_id="waiting",
            start_date="{{ dag_run.conf['start'] }}",
            end_date="{{ dag_run.conf['end'] }}",
            min_ratings=number,
            poke_interval=1,
            timeout=600,
            deferrable=True,
        )

new_ratings = Asset(
    "waiting_new_ratings",
    watchers=[AssetWatcher(name="new_ratings", trigger=MovielensNewRatingsTrigger("waiting", poll_interval=4))],
)

with DAG("waiting_watcher", start_date=BEGINNING, schedule=[new_ratings]):
    EmptyOperator(task_id="nothing")
