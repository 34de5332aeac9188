"""Deferred sensors and a watched asset on the real scheduler and triggerer, which is killed meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from demo.processes import process_groups

TODAY = datetime.now(UTC).date()
SENSORS = [f"wait_for_{number}" for number in (1, 2, 3)]


@pytest.fixture(scope="module", autouse=True)
def connection(running_stack):
    """Store the connection in Airflow's database, where the triggerer reads it in another way than the environment."""
    host, (user, password) = running_stack.api_address, running_stack.api_login
    body = {"connection_id": "waiting", "conn_type": "movielens", "host": host, "login": user, "password": password}
    running_stack.airflow.post("/connections", body | {"extra": '{"read_timeout": 30}'})


def post_rating(stack, day):
    moment = int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp())
    # From a new user, so that it replaces no other rating.
    rating = {"movieId": 1, "rating": 4.0, "timestamp": moment, "userId": uuid.uuid4().int % 10**9 + 1000}
    response = requests.post(f"{stack.api_address}/ratings", json=[rating], auth=stack.api_login, timeout=30)
    assert response.status_code == 201, response.text


def kill_triggerer(stack):
    """SIGKILL the triggerer and its subprocess; `make up` starts it again."""
    said = "triggerer ended with exit code -9 and was restarted"
    restarts = stack.output.read_text().count(said)
    sessions = {pid for pid, command in commands_in(stack.layout.local) if b"triggerer" in command.split(b"\0")}
    for group in process_groups(sessions):
        os.killpg(group, signal.SIGKILL)
    until(stack, "the triggerer's restart", lambda: stack.output.read_text().count(said) > restarts)


def commands_in(folder):
    """Return the processes that work in a folder, and their command lines."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                yield int(process.name), (process / "cmdline").read_bytes()


def until(stack, what, condition):
    return stack.until(what, condition)


def test_deferred_sensors_and_a_watched_asset_survive_the_kill_of_the_triggerer(running_stack):
    events = events_of_the_watched_asset(running_stack)
    first = until(running_stack, "the first event", events)[0]
    assert first["other_days"]
    assert first["total"] >= 100_004

    airflow = running_stack.airflow
    run_id = running_stack.start("waiting_sensors", {"start": str(TODAY), "end": str(TODAY + timedelta(days=1))})

    def states():
        return running_stack.task_states("waiting_sensors", run_id)

    until(running_stack, "sensors that wait", lambda: set(states().values()) == {"deferred"})
    # Other runs end while the sensors still wait.
    slots = {"running_slots": 0, "queued_slots": 0, "deferred_slots": 3}
    until(running_stack, "free slots", lambda: slots.items() <= airflow.get("/pools/default_pool").items())

    post_rating(running_stack, TODAY)
    until(running_stack, "the first sensor", lambda: states()["wait_for_1"] == "success")
    assert states() == {"wait_for_1": "success", "wait_for_2": "deferred", "wait_for_3": "deferred"}
    reported = len(until(running_stack, "the event of the first rating", lambda: events()[1:])) + 1

    kill_triggerer(running_stack)
    post_rating(running_stack, TODAY)
    until(running_stack, "the second sensor", lambda: states()["wait_for_2"] == "success")
    until(running_stack, "the event of the second rating", lambda: events()[reported:])
    post_rating(running_stack, TODAY)
    assert running_stack.ended("waiting_sensors", run_id) == "success"

    tries = {task["task_id"]: task["try_number"] for task in airflow.tasks("waiting_sensors", run_id)}
    assert tries == dict.fromkeys(SENSORS, 1)
    log = running_stack.task_log("waiting_sensors", run_id, "wait_for_3")
    assert f"Found 2 ratings in [{TODAY}, {TODAY + timedelta(days=1)}), waiting for 3" in log
    assert running_stack.api_login[1] not in log
    # The watch resumes: nothing that was reported before the kill is reported as new.
    assert {(*event["days"], event["other_days"]) for event in events()[1:]} == {(str(TODAY), False)}


def events_of_the_watched_asset(stack):
    """Start the watch, and return a function that returns the payloads of its events."""
    stack.watch_assets_of("waiting_watcher")
    (asset,) = stack.airflow.get("/assets", name_pattern="waiting_new_ratings")["assets"]

    def events():
        found = stack.airflow.get("/assets/events", asset_id=asset["id"], order_by="timestamp")["asset_events"]
        return [event["extra"]["payload"] for event in found]

    return events
