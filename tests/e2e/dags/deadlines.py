"""A Dag with a deadline, whose partitions land when a test says so."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, AsyncCallback, CronPartitionTimetable, DeadlineAlert, task

from airflow_movielens.deadlines import PartitionDeadline, log_missed_deadline

LANDED = Path(os.environ["MOVIELENS_DATA_DIR"], "deadlines")

with DAG(
    "deadlines",
    start_date=datetime(2000, 1, 1),
    schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
    catchup=False,
    deadline=DeadlineAlert(PartitionDeadline(), timedelta(hours=24), AsyncCallback(log_missed_deadline)),
):

    @task.sensor(mode="poke", poke_interval=0.5, timeout=600)
    def land(partition_key):
        return (LANDED / partition_key).exists()

    land()
