"""Good and bad windows, and mapped ones."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator
from airflow_movielens.sensors import MovielensRatingsSensor

DATA_DIR = os.environ["MOVIELENS_DATA_DIR"]
DAY = CronDataIntervalTimetable("@daily", timezone="UTC")
WINDOWS = {
    "zero_length": ("{{ data_interval_start | ds }}", "{{ data_interval_start | ds }}"),
    "reversed": ("{{ data_interval_end | ds }}", "{{ data_interval_start | ds }}"),
    "bad_date": ("2000-11-31", "2000-12-01"),
    "one_bound": ("{{ ds }}", None),
}

for name, (start, end) in WINDOWS.items():
    with DAG(dag_id=f"window_{name}", start_date=datetime(2000, 1, 1), schedule=DAY):
        MovielensFetchRatingsOperator(
            task_id="fetch_ratings",
            start_date=start,
            end_date=end,
            output_path=f"{DATA_DIR}/window_{name}.json",
            retries=3,
        )

with DAG(dag_id="daily_trigger", start_date=datetime(2000, 1, 1), schedule="@daily"):
    MovielensFetchRatingsOperator(task_id="fetch_ratings", output_path=f"{DATA_DIR}/daily_trigger.csv")

with DAG(
    dag_id="mapped", start_date=datetime(2000, 1, 1), schedule=None, default_args={"start_date": datetime(2000, 1, 1)}
):
    mapped = MovielensFetchRatingsOperator.partial(task_id="fetch_ratings").expand_kwargs(
        [
            {
                "start_date": f"2000-11-{day}",
                "end_date": f"2000-11-{day + 1}",
                "output_path": f"{DATA_DIR}/mapped/{day}.parquet",
            }
            for day in (20, 21)
        ]
    )
    MovielensRankMoviesOperator(task_id="rank_movies", input_path=mapped.output, output_path=f"{DATA_DIR}/mapped.csv")


MODES = {"poke": {"mode": "poke"}, "reschedule": {"mode": "reschedule"}, "deferred": {"deferrable": True}}
ENDINGS = {"fail": {}, "skip": {"soft_fail": True}, "never": {"never_fail": True}, "silent": {"silent_fail": True}}

for mode, arguments in MODES.items():
    for ending, more in ENDINGS.items():
        with DAG(dag_id=f"sensor_{mode}_{ending}", start_date=datetime(2000, 1, 1), schedule=DAY):
            MovielensRatingsSensor(
                task_id="wait",
                timeout=0.2,
                poke_interval=0.1,
                retries=3,
                retry_delay=timedelta(0),
                **arguments,
                **more,
            )

for ending in ("skip", "never"):
    with DAG(dag_id=f"sensor_patient_{ending}", start_date=datetime(2000, 1, 1), schedule=DAY):
        MovielensRatingsSensor(
            task_id="wait", timeout=600, retries=3, retry_delay=timedelta(0), deferrable=True, **ENDINGS[ending]
        )


class BrokenSensor(MovielensRatingsSensor):
    def defer(self, *, trigger, **arguments):
        from integration.broken_trigger import BrokenTrigger

        super().defer(trigger=BrokenTrigger(**trigger.serialize()[1]), **arguments)


with DAG(dag_id="sensor_broken", start_date=datetime(2000, 1, 1), schedule=DAY):
    BrokenSensor(task_id="wait", soft_fail=True, retries=3, retry_delay=timedelta(0), deferrable=True)

with DAG(dag_id="sensor_min_ratings", start_date=datetime(2000, 1, 1), schedule=DAY):
    MovielensRatingsSensor(task_id="wait_1475", min_ratings=1475, timeout=0.1, poke_interval=0.1)
    MovielensRatingsSensor(task_id="wait_1476", min_ratings=1476, timeout=0.1, poke_interval=0.1, soft_fail=True)
