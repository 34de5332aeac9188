"""Deferred sensors and a watched asset on the real scheduler and triggerer, which is killed meanwhile."""

from __future__ import annotations

import os
import signal
import uuid
from datetime import UTC, datetime

import pytest
import requests

from demo.processes import process_groups

WINDOW = {"start": "2031-05-01", "end": "2031-05-02"}
SENSORS = [f"wait_for_{number}" for number in (1, 2, 3)]


@pytest.fixture(scope="module", autouse=True)
def connection(running_stack):
    """In Airflow's database, as users have it: the triggerer asks for it in another way than for one of the environment."""
    host, (user, password) = running_stack.api_address, running_stack.api_login
    body = {"connection_id": "waiting", "conn_type": "movielens", "host": host, "login": user, "password": password}
    running_stack.airflow.post("/connections", body | {"extra": '{"read_timeout": 30}'})


def post_rating(stack, day):
    moment = int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp())
    # By a user of its own, so that it takes no other's place.
    rating = {"movieId": 1, "rating": 4.0, "timestamp": moment, "userId": uuid.uuid4().int % 10**9 + 1000}
    answer = requests.post(f"{stack.api_address}/ratings", json=[rating], auth=stack.api_login, timeout=30)
    assert answer.status_code == 201, answer.text


def kill_triggerer(stack):
    """SIGKILL the triggerer and its subprocess, and start it anew."""
    (component,) = [component for component in stack.stack.watch.components if component.name == "triggerer"]
    stack.stack.watch.components.remove(component)
    for group in process_groups({component.session}):
        os.killpg(group, signal.SIGKILL)
    stack.stack.restart(component)


def until(stack, what, condition):
    return stack.stack.watch.until(what, condition)


def test_deferred_sensors_hold_no_slot_survive_the_triggerer_and_succeed_on_their_first_try(running_stack):
    airflow = running_stack.airflow
    running_stack.stack.wait_for_dags(["waiting_sensors"])
    airflow.set_paused("waiting_sensors", paused=False)
    run_id = airflow.trigger("waiting_sensors", WINDOW)

    def states():
        return running_stack.task_states("waiting_sensors", run_id)

    until(running_stack, "sensors that wait", lambda: set(states().values()) == {"deferred"})
    pool = airflow.get("/pools/default_pool")
    assert (pool["running_slots"], pool["queued_slots"], pool["deferred_slots"]) == (0, 0, 3)

    post_rating(running_stack, WINDOW["start"])
    until(running_stack, "the first sensor", lambda: states()["wait_for_1"] == "success")
    assert states() == {"wait_for_1": "success", "wait_for_2": "deferred", "wait_for_3": "deferred"}

    kill_triggerer(running_stack)
    post_rating(running_stack, WINDOW["start"])
    until(running_stack, "the second sensor", lambda: states()["wait_for_2"] == "success")
    post_rating(running_stack, WINDOW["start"])
    until(running_stack, "the run", lambda: running_stack.run_state("waiting_sensors", run_id) == "success")
    tries = {task["task_id"]: task["try_number"] for task in airflow.tasks("waiting_sensors", run_id)}
    assert tries == dict.fromkeys(SENSORS, 1)
    log = running_stack.task_log("waiting_sensors", run_id, "wait_for_3")
    assert "Found 2 ratings in [2031-05-01, 2031-05-02), waiting for 3" in log
    assert running_stack.api_login[1] not in log


def test_a_watched_asset_tells_of_each_new_rating_though_the_triggerer_is_killed(running_stack):
    airflow = running_stack.airflow
    running_stack.stack.wait_for_dags(["waiting_watcher"])
    airflow.set_paused("waiting_watcher", paused=False)
    (asset,) = airflow.get("/assets", name_pattern="waiting_new_ratings")["assets"]

    def told():
        events = airflow.get("/assets/events", asset_id=asset["id"], order_by="timestamp")["asset_events"]
        return [event["extra"]["payload"] for event in events]

    first = until(running_stack, "the first event", told)[0]
    assert first["other_days"]
    assert first["total"] >= 100_004

    store = f"/assets/{asset['id']}/state-store"
    until(running_stack, "what was told to be saved", lambda: airflow.get(store)["asset_state_store"])

    today = str(datetime.now(UTC).date())
    kill_triggerer(running_stack)
    post_rating(running_stack, today)
    until(running_stack, "the next event", lambda: told()[1:])
    # Not all over again: what was told before the kill is known after it.
    assert {(*event["days"], event["other_days"]) for event in told()[1:]} == {(today, False)}
