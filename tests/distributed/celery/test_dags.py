"""The example Dags on two workers, with their files on object storage."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from io import BytesIO

import polars as pl
import pytest

from airflow_movielens.storage.catalogue import Catalogue
from demo.configuration import airflow_environment
from demo.stack import WORKER_NAMES

FIVE = ["01_python", "02_hook", "03_operator", "04_sensor", "05_pipeline"]
PARTITIONED = ["06_ratings", "06_late", "06_rank", "06_windows", "06_trailing"]
DAYS = [date(2000, 11, 20) + timedelta(days=number) for number in range(3)]


def read(url):
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(url).read_bytes()


@pytest.fixture(scope="module")
def runs(celery_stack):
    """Run the first five Dags at once."""
    return {dag_id: celery_stack.start(dag_id, logical_date="2000-11-21T00:00:00Z") for dag_id in FIVE}


def test_the_dags_write_equal_rankings_into_the_bucket(celery_stack, runs):
    assert {dag_id: celery_stack.ended(dag_id, run_id) for dag_id, run_id in runs.items()} == dict.fromkeys(
        FIVE, "success"
    )
    period = {"start_date": "2000-11-20", "end_date": "2000-11-21", "min_ratings": 3}
    run_id = celery_stack.run("05_pipeline_ranking", period)
    assert celery_stack.run_state("05_pipeline_ranking", run_id) == "success"
    root = celery_stack.bucket
    rankings = {read(f"{root}/{dag_id}/rankings/2000-11-20.csv") for dag_id in FIVE[:4]}
    rankings.add(read(f"{root}/05_pipeline/rankings/2000-11-20_2000-11-21.csv"))
    assert len(rankings) == 1
    assert b"\n912,Casablanca," in rankings.pop()
    assert not list(celery_stack.data.rglob("*.csv"))


def test_a_backfill_of_partitions_is_fetched_and_ranked(celery_stack, truth):
    celery_stack.wait_for_dags(PARTITIONED)
    for dag_id in PARTITIONED:
        celery_stack.airflow.set_paused(dag_id, paused=False)
    options = ["--dag-id", "06_ratings", "--from-date", str(DAYS[0]), "--to-date", str(DAYS[-1])]
    command = [sys.executable, "-m", "airflow", "backfill", "create", *options, "--reprocess-behavior", "completed"]
    environment = airflow_environment(celery_stack.layout, 0, "not needed")
    subprocess.run(command, env=environment, check=True, capture_output=True)

    root = f"{celery_stack.bucket}/06_partitioned"
    for day in DAYS:
        celery_stack.until(f"the trailing ranking of {day}", lambda day=day: has_succeeded(celery_stack, day))
        fetched = pl.read_parquet(BytesIO(read(f"{root}/ratings/{day}.parquet")))
        assert len(fetched) == (truth["timestamp"] // 86400 == (day - date(1970, 1, 1)).days).sum()
        assert read(f"{root}/rankings/bayesian/{day}.csv").startswith(b"rank,")
    for dag_id in PARTITIONED:
        celery_stack.airflow.set_paused(dag_id, paused=True)
    assert len(Catalogue(celery_stack.bucket).records_of_run("06_ratings", run_of(celery_stack, DAYS[0])).records) == 1


def has_succeeded(stack, day):
    """Return whether the last of the Dags has run for a day; a failed run is an error."""
    runs = [run for run in stack.airflow.runs("06_trailing") if run["partition_key"] == str(day)]
    assert "failed" not in {run["state"] for run in runs}
    return runs and all(run["state"] == "success" for run in runs)


def run_of(stack, day):
    return next(run["dag_run_id"] for run in stack.airflow.runs("06_ratings") if run["partition_key"] == str(day))


def test_a_model_is_trained_on_ratings_in_the_bucket_and_recommends_into_it(celery_stack):
    run_id = celery_stack.run("07_recommend", {"start_date": "2000-01-01"})
    assert celery_stack.run_state("07_recommend", run_id) == "success"
    written = celery_stack.xcom("07_recommend", run_id, "recommend_movies")
    assert written["path"] == f"{celery_stack.bucket}/07_recommend/recommendations.parquet"
    assert len(pl.read_parquet(BytesIO(read(written["path"])))) == written["rows"] > 0
    assert list((celery_stack.layout.registry).iterdir())


def test_both_workers_run_tasks(celery_stack, runs):
    logs = [celery_stack.stack.log_of(name).read_text() for name in WORKER_NAMES]
    assert all("succeeded in" in log for log in logs)
