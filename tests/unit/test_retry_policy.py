"""The retry policy: what it decides for each error, and that Airflow's scheduler does not need to import it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from airflow_movielens.client import DataError, FatalError, RatingsChangedError, RetryableError
from airflow_movielens.retry_policy import movielens_retry_policy

DAY = timedelta(days=1)


@pytest.mark.airflow("3.3")
@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (RetryableError("503"), "retry", None),
        (RetryableError("429", retry_after=7.5), "retry", timedelta(seconds=7.5)),
        (RetryableError("429", retry_after=0.0), "retry", None),
        (RetryableError("429", retry_after=1e300), "retry", DAY),
        (RetryableError("429", retry_after=float("inf")), "retry", DAY),
        (RatingsChangedError("410"), "retry", None),
        (FatalError("401"), "fail", None),
        (DataError("a row"), "fail", None),
        (ValueError("the task's own"), "default", None),
        (SystemExit(), "default", None),
    ],
    ids=repr,
)
def test_the_type_of_the_error_decides(error, action, delay):
    decision = movielens_retry_policy().evaluate(error, 1, 3)
    assert (decision.action.value, decision.retry_delay) == (action, delay)


@pytest.mark.airflow("3.3")
@pytest.mark.parametrize(("asked", "delay"), [(60, None), (300, None), (301, timedelta(seconds=301))])
def test_a_retry_comes_no_sooner_than_the_tasks_own_delay(asked, delay):
    from airflow.sdk import BaseOperator

    context = {"task": BaseOperator(task_id="t", retry_delay=timedelta(minutes=5))}
    decision = movielens_retry_policy().evaluate(RetryableError("429", retry_after=asked), 1, 3, context)
    assert (decision.action.value, decision.retry_delay) == ("retry", delay)


@pytest.mark.airflow("3.3")
def test_the_decision_has_a_reason():
    policy = movielens_retry_policy()
    assert policy.evaluate(FatalError("401"), 1, 3).reason == "a retry cannot help"
    assert policy.evaluate(RetryableError("503"), 1, 3).reason == "the API may respond later"
    assert "a pause of 7 s" in policy.evaluate(RetryableError("429", retry_after=7.0), 1, 3).reason


@pytest.mark.slow
@pytest.mark.airflow("3.3")
@pytest.mark.parametrize("by_default_args", [True, False])
@pytest.mark.parametrize("is_mapped", [True, False])
def test_the_serialized_dag_says_only_that_there_is_a_policy(by_default_args, is_mapped):
    from airflow.sdk import DAG, task
    from airflow.serialization.serialized_objects import DagSerialization

    given = {"retry_policy": movielens_retry_policy()}

    @task(**({} if by_default_args else given))
    def count(number):
        return number

    with DAG("d", schedule=None, start_date=datetime(2000, 1, 1), default_args=given if by_default_args else {}) as dag:
        count.expand(number=[1, 2]) if is_mapped else count(1)

    text = json.dumps(DagSerialization.to_dict(dag))
    assert "has_retry_policy" in text
    assert "airflow_movielens" not in text
    found = DagSerialization.from_dict(json.loads(text)).get_task("count")
    assert found.has_retry_policy


def test_before_airflow_3_3_there_is_no_policy_and_the_log_says_so(tmp_path):
    # The installed Airflow may be a later one: this one has nothing at all.
    (tmp_path / "airflow" / "sdk").mkdir(parents=True)
    for package in ("airflow", "airflow/sdk"):
        (tmp_path / package / "__init__.py").touch()
    code = "from airflow_movielens.retry_policy import movielens_retry_policy; print(movielens_retry_policy())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "None\n", done.stderr
    assert "no retry policies" in done.stderr
    assert done.stderr.count("\n") == 1


def test_default_args_may_hold_an_argument_that_no_task_knows():
    from airflow.sdk import DAG, task

    @task
    def count():
        return 1

    with DAG("d", schedule=None, default_args={"not_known_to_any_task": None}) as dag:
        count()
    assert dag.get_task("count")
