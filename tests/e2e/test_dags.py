"""The Dags on the real scheduler, as a user of Airflow's UI triggers them."""

from __future__ import annotations

import re
from datetime import datetime

import polars as pl
import pytest
import requests

from airflow_movielens.recommending.registry import ModelRegistry
from airflow_movielens.storage.catalogue import Catalogue
from demo import pipeline
from demo.errors import DemoError

FIVE = ["01_python", "02_hook", "03_operator", "04_sensor", "05_pipeline"]


@pytest.fixture(scope="module")
def runs(running_stack):
    """Run all Dags at once."""
    return {dag_id: running_stack.start(dag_id, logical_date="2000-11-21T00:00:00Z") for dag_id in FIVE}


@pytest.mark.parametrize("dag_id", FIVE)
def test_a_dag_succeeds_and_writes_its_files(running_stack, runs, dag_id):
    run_id = runs[dag_id]
    assert running_stack.ended(dag_id, run_id) == "success"
    assert set(running_stack.task_states(dag_id, run_id).values()) == {"success"}
    files = (running_stack.data / dag_id / "ratings").iterdir()
    # Its schedule adds yesterday's file.
    assert "2000-11-20" in {file.stem for file in files}


def test_all_rankings_are_equal(running_stack, runs):
    period = {"start_date": "2000-11-20", "end_date": "2000-11-21", "min_ratings": 3}
    run_id = running_stack.run("05_pipeline_ranking", period)
    assert running_stack.run_state("05_pipeline_ranking", run_id) == "success"
    rankings = {file.read_text() for file in running_stack.data.glob("*/rankings/2000-11-20*.csv")}
    assert len(list(running_stack.data.glob("*/rankings/2000-11-20*.csv"))) == len(FIVE)
    assert len(rankings) == 1
    assert "\n912,Casablanca," in rankings.pop()


def test_once_a_week_a_model_is_trained_judged_promoted_and_served(running_stack):
    dag_id = "07_recommend"
    running_stack.wait_for_dags([dag_id])
    # Once it is unpaused, Airflow makes up for last Monday.
    running_stack.airflow.set_paused(dag_id, paused=False)
    (run,) = running_stack.until("the run of last Monday", lambda: running_stack.airflow.runs(dag_id))
    assert datetime.fromisoformat(run["run_after"]).weekday() == 0
    assert running_stack.ended(dag_id, run["dag_run_id"]) == "success"
    running_stack.airflow.set_paused(dag_id, paused=True)
    assert set(running_stack.task_states(dag_id, run["dag_run_id"]).values()) == {"success"}
    folder = running_stack.data / dag_id
    decision = running_stack.xcom(dag_id, run["dag_run_id"], "promote_model")
    assert (decision["is_promoted"], decision["champion"]) == (True, None)
    assert "better than the trending movies" in decision["reason"]
    assert ModelRegistry(folder / "registry").aliases().champion == decision["version"]
    written = running_stack.xcom(dag_id, run["dag_run_id"], "recommend_movies")
    assert (written["model"], written["users"]) == (decision["version"], 671)
    assert len(pl.read_parquet(folder / "recommendations.parquet")) == written["rows"] == 6710
    (report,) = folder.glob("evaluations/*/evaluation.html")
    assert "NDCG" in report.read_text()
    recorded = Catalogue(str(running_stack.data)).records_of_run(dag_id, run["dag_run_id"]).records
    assert {record.kind: record.task.task_id for record in recorded} == {
        "fetch": "fetch_ratings",
        "training": "train_model",
        "evaluation": "evaluate_model",
        "promotion": "promote_model",
        "recommendations": "recommend_movies",
    }

    session = requests.Session()
    session.trust_env = False
    session.auth = running_stack.api_login
    url = f"{running_stack.api_address}/users/600/recommendations"
    running_stack.until("the new champion", lambda: session.get(url).headers.get("Model") == decision["version"])
    served = [movie["movieId"] for movie in session.get(url).json()["result"]]
    recommended = pl.read_parquet(folder / "recommendations.parquet").filter(pl.col("userId") == 600)
    assert served == recommended["movieId"].to_list()


def test_a_missing_day_is_one_clear_message_that_the_demo_shows(running_stack):
    with pytest.raises(DemoError) as failed:
        pipeline.rank(running_stack.airflow, running_stack.watch)
    message = r"The task rank_\w+ of the Dag 05_pipeline_ranking failed for 2000-11-15 to 2000-11-28\. Its log:"
    assert re.fullmatch(message, str(failed.value))
    assert "AirflowFailException: there is no file" in failed.value.details
    assert failed.value.details.count("there is no file") == 1
