"""A deadline of partitions on the real scheduler and triggerer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import requests

DAY = timedelta(days=1)
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - DAY
DAG_ID = "deadlines"


@pytest.fixture
def deadlines(running_stack, admin_token):
    """Return a function that lists the deadlines of a run as Airflow's UI shows them."""

    def listed(run_id):
        address = f"{running_stack.airflow.address}/ui/dags/{DAG_ID}/dagRuns/{quote(run_id, safe='')}/deadlines"
        with requests.Session() as session:
            session.trust_env = False
            response = session.get(address, headers={"Authorization": f"Bearer {admin_token}"}, timeout=60)
        response.raise_for_status()
        return [
            (datetime.fromisoformat(each["deadline_time"]), each["missed"]) for each in response.json()["deadlines"]
        ]

    return listed


def midnight(day):
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def land(stack, day):
    folder = stack.data / DAG_ID
    folder.mkdir(exist_ok=True)
    (folder / str(day)).touch()


def alerts(stack):
    """Return what the triggerer logged, also before a restart."""
    lines = [line for log in stack.layout.logs.glob("triggerer*.log") for line in log.read_text().splitlines()]
    return [line for line in lines if f": {DAG_ID} missed its deadline " in line]


def test_a_day_that_has_not_landed_in_time_is_named_and_one_that_has_is_not(running_stack, deadlines):
    stack, airflow = running_stack, running_stack.airflow
    stack.wait_for_dags([DAG_ID])
    body = {"logical_date": None, "partition_key": str(TODAY)}
    in_time = airflow.post(f"/dags/{DAG_ID}/dagRuns", body)["dag_run_id"]
    assert deadlines(in_time) == [(midnight(TODAY + DAY), False)]

    land(stack, TODAY)
    airflow.set_paused(DAG_ID, paused=False)
    assert stack.ended(DAG_ID, in_time) == "success"
    assert deadlines(in_time) == []

    (late,) = [run["dag_run_id"] for run in airflow.runs(DAG_ID) if run["partition_key"] == str(YESTERDAY)]
    stack.until("the alert", lambda: alerts(stack))
    assert stack.run_state(DAG_ID, late) == "running"
    assert deadlines(late) == [(midnight(TODAY), True)]

    land(stack, YESTERDAY)
    assert stack.ended(DAG_ID, late) == "success"
    airflow.set_paused(DAG_ID, paused=True)
    (alert,) = alerts(stack)
    assert f"{YESTERDAY} has not landed: {DAG_ID} missed its deadline of {TODAY} 00:00 UTC by " in alert
    assert f"(run {late}, running)" in alert
