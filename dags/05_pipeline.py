"""### 5. The pipeline

`05_pipeline` writes one Parquet file per day. Backfill it for any period. `05_pipeline_ranking` ranks a period from
those files, with titles from the API. Trigger it with the first day of the period and the day after its last one. It
ranks by the mean rating, as the Dags before, and by two better methods: `bayesian` ("best rated") and `trending`
("popular now"), with the movement of each movie in the last seven days of the period.
"""

import os
from datetime import date, datetime, timedelta

from airflow.sdk import DAG, Param, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator

DATA_DIR = os.environ.get("MOVIELENS_DATA_DIR", "/tmp/movielens")  # noqa: S108 - easy to find
RATINGS = f"{DATA_DIR}/05_pipeline/ratings"
RANKINGS = f"{DATA_DIR}/05_pipeline/rankings"
METHODS = ["bayesian", "trending"]

with DAG(
    dag_id="05_pipeline",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(1995, 1, 9),
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["movielens"],
):
    MovielensFetchRatingsOperator(
        task_id="fetch_ratings",
        conn_id="movielens",
        output_path=f"{RATINGS}/{{{{ data_interval_start | ds }}}}.parquet",
    )


@task
def daily_files(first_day: str, day_after_last: str) -> list[str]:
    """List the daily files of a period."""
    first, end = date.fromisoformat(first_day), date.fromisoformat(day_after_last)
    days = (first + timedelta(days=n) for n in range((end - first).days))
    return [f"{RATINGS}/{day}.parquet" for day in days]


# In a period of a week or less there are no such files: then the rankings that would read them are skipped.
@task.short_circuit(ignore_downstream_trigger_rules=False)
def files_before_last_week(files: list[str]) -> list[str]:
    """List the daily files of a period without its last seven days."""
    return files[:-7]


with DAG(
    dag_id="05_pipeline_ranking",
    doc_md=__doc__,
    schedule=None,
    params={
        "start_date": Param("2000-11-15", type="string", format="date", description="First day"),
        "end_date": Param("2000-11-29", type="string", format="date", description="The day after the last one"),
        "min_ratings": Param(10, type="integer", minimum=1, description="Minimum number of users, for the mean"),
    },
    tags=["movielens"],
):
    period = "{{ params.start_date }}_{{ params.end_date }}"
    files = daily_files("{{ params.start_date }}", "{{ params.end_date }}")
    earlier_files = files_before_last_week(files)

    MovielensRankMoviesOperator(
        task_id="rank_movies",
        input_path=files,
        output_path=f"{RANKINGS}/{period}.csv",
        conn_id="movielens",
        min_ratings="{{ params.min_ratings }}",
    )
    for method in METHODS:
        before = MovielensRankMoviesOperator(
            task_id=f"rank_{method}_before",
            input_path=earlier_files,
            output_path=f"{RANKINGS}/{method}/before/{period}.csv",
            method=method,
        )
        MovielensRankMoviesOperator(
            task_id=f"rank_{method}",
            input_path=files,
            output_path=f"{RANKINGS}/{method}/{period}.csv",
            conn_id="movielens",
            method=method,
            compare_to=before.output,
            trigger_rule="none_failed",
        )
