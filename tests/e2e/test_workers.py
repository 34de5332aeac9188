"""Fetches on the real scheduler whose workers die, are stopped, or must retry later."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
from pathlib import Path

import pytest
from unit import hostile_server

YEARS = (1996, 2000, 2005)
DAG_ID, TASK_ID = "workers_mapped", "fetch_ratings"
SLOW = {"page_size": 100, "data_format": "json", "concurrency": 2, "requests_per_second": 4}


@pytest.fixture
def connect(running_stack):
    """Create or change a connection in Airflow's database."""

    def connect(conn_id, **parts):
        user, password = running_stack.api_login
        port = int(running_stack.api_address.rpartition(":")[2])
        values = {"connection_id": conn_id, "conn_type": "movielens", "host": "127.0.0.1", "port": port}
        values |= {"login": user, "password": password, **parts}
        if running_stack.airflow.find(f"/connections/{conn_id}"):
            running_stack.airflow.patch(f"/connections/{conn_id}", values)
        else:
            running_stack.airflow.post("/connections", values)

    return connect


@pytest.fixture
def slowly(connect):
    """Slow down the connection `slow` until the result is called."""
    connect("slow", extra=json.dumps(SLOW))
    return lambda: connect("slow", extra=json.dumps(SLOW | {"requests_per_second": None}))


@pytest.fixture
def begun(running_stack):
    """Wait until a fetch has left durable parts to resume from, and return them."""

    def begun(name):
        def parts():
            # The second part is written after the checkpoint of the first.
            found = sorted((running_stack.data / "workers").glob(f".partial-{name}-*/*.arrow"))
            return found if len(found) > 1 else None

        return running_stack.until(f"parts of {name}", parts)

    return begun


def instances(stack, dag_id, run_id, task_id):
    return sorted(
        (found for found in stack.airflow.tasks(dag_id, run_id) if found["task_id"] == task_id),
        key=lambda found: found["map_index"],
    )


def log_of(stack, instance):
    path = f"/dags/{instance['dag_id']}/dagRuns/{instance['dag_run_id']}/taskInstances/{instance['task_id']}"
    content = stack.airflow.get(
        f"{path}/logs/{instance['try_number']}", map_index=instance["map_index"], full_content="true"
    )["content"]
    return "\n".join(str(line.get("event")) for line in content)


def of_instance(stack, instance, what):
    path = f"/dags/{instance['dag_id']}/dagRuns/{instance['dag_run_id']}/taskInstances/{instance['task_id']}"
    return stack.airflow.get(f"{path}/{what}", map_index=instance["map_index"])


def undisturbed(stack, folder, name, start_date, end_date):
    """Return the SHA-256 of the file of an undisturbed fetch."""
    from airflow_movielens.client import MovielensClient, Window
    from airflow_movielens.client.fetch import LocalOutput, fetch_ratings

    user, password = stack.api_login
    with MovielensClient(stack.api_address, user=user, password=password) as client:
        return fetch_ratings(client, Window.of(start_date, end_date), LocalOutput(folder / name)).sha256


def last_try(stack, dag_id, run_id):
    return max(found["try_number"] for found in stack.airflow.tasks(dag_id, run_id))


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def kill(pid, *, with_worker):
    """Kill a task, or its worker too, as the kernel does when memory is short: neither can clean up."""
    worker = int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    if with_worker:
        os.kill(worker, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)


def resumed_rows(log):
    found = re.search(r"Resuming the ratings of \S+ \S+: ([\d,]+) rows", log)
    return found and int(found[1].replace(",", ""))


def test_mapped_windows_resume_after_the_loss_of_a_process_and_of_a_worker(
    running_stack, slowly, begun, tmp_path, truth
):
    run_id = running_stack.start(DAG_ID)
    for year in YEARS[:2]:
        begun(f"{year}.csv")
    pids = [found["pid"] for found in instances(running_stack, DAG_ID, run_id, TASK_ID)]
    slowly()
    kill(pids[0], with_worker=False)
    kill(pids[1], with_worker=True)
    assert running_stack.ended(DAG_ID, run_id) == "success"

    fetches = instances(running_stack, DAG_ID, run_id, TASK_ID)
    assert [found["try_number"] for found in fetches] == [2, 2, 1]
    assert [found["rendered_map_index"] for found in fetches] == [f"{year}.csv" for year in YEARS]
    logs = [log_of(running_stack, found) for found in fetches]
    assert [bool(resumed_rows(log)) for log in logs] == [True, True, False]
    ranks = instances(running_stack, DAG_ID, run_id, "rank_movies")
    for index, year in enumerate(YEARS):
        file = running_stack.data / "workers" / f"{year}.csv"
        manifest = of_instance(running_stack, fetches[index], "xcomEntries/return_value?stringify=false")["value"]
        assert (manifest["path"], manifest["start_date"]) == (str(file), f"{year}-01-01")
        assert digest(file) == manifest["sha256"]
        assert digest(file) == undisturbed(running_stack, tmp_path, file.name, f"{year}-01-01", f"{year + 1}-01-01")
        assert f"[{year}-01-01, {year + 1}-01-01)" in logs[index]
        ranked = of_instance(running_stack, ranks[index], "xcomEntries/return_value?stringify=false")["value"]
        assert ranked["path"] == str(running_stack.data / "workers" / f"ranking-{index}.csv")
        assert Path(ranked["path"]).read_text().count("\n") == ranked["rows"] + 1 > 1
    assert not list((running_stack.data / "workers").glob(".partial-*"))

    for found in fetches + ranks:
        link = of_instance(running_stack, found, "links")["extra_links"]["Output"]
        assert link.startswith(running_stack.airflow.address)
        assert link.endswith(f"/tasks/{found['task_id']}/mapped/{found['map_index']}/xcom")


def test_a_stopped_or_timed_out_task_leaves_parts_to_resume_from(running_stack, slowly, begun, tmp_path):
    dag_id, timed_out = "workers_stopped", "workers_timed_out"
    run_id, timed_out_id = running_stack.start(dag_id), running_stack.start(timed_out)
    parts = begun("stopped.parquet")
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{TASK_ID}"
    running_stack.airflow.patch(path, {"new_state": "failed"})
    (found,) = instances(running_stack, dag_id, run_id, TASK_ID)
    running_stack.until("the end of the process", lambda: not Path(f"/proc/{found['pid']}").exists())
    assert parts[0].exists()
    assert not (running_stack.data / "workers" / "stopped.parquet").exists()
    assert of_instance(running_stack, found, "links")["extra_links"] == {"Output": None}

    begun("timed_out.json")
    running_stack.until("the second try", lambda: last_try(running_stack, timed_out, timed_out_id) > 1)
    slowly()
    clear = {"dry_run": False, "dag_run_id": run_id, "task_ids": [TASK_ID], "only_failed": True}
    running_stack.airflow.post(f"/dags/{dag_id}/clearTaskInstances", clear)
    running_stack.until("success", lambda: running_stack.run_state(dag_id, run_id) == "success")
    assert running_stack.ended(timed_out, timed_out_id) == "success"
    assert "AirflowTaskTimeout" in running_stack.airflow.task_log(timed_out, timed_out_id, TASK_ID, 1)
    for run, name in (((dag_id, run_id), "stopped.parquet"), ((timed_out, timed_out_id), "timed_out.json")):
        assert resumed_rows(running_stack.task_log(*run, TASK_ID))
        file = running_stack.data / "workers" / name
        assert digest(file) == undisturbed(running_stack, tmp_path, name, "1996-01-01", "1997-01-01")


def test_the_retry_policy_fails_a_task_at_once_or_retries_when_the_api_asks(running_stack, connect, tmp_path):
    connect("wrong_password", password="wrong")
    with hostile_server.serving(tmp_path, "429-seconds") as busy:
        connect("busy", host=busy.base_url, port=None, login=hostile_server.USER, password=hostile_server.PASSWORD)
        run_id = running_stack.start("workers_retries")
        assert running_stack.ended("workers_retries", run_id) == "failed"
    tasks = {found["task_id"]: found for found in running_stack.airflow.tasks("workers_retries", run_id)}
    assert {name: (found["state"], found["try_number"]) for name, found in tasks.items()} == {
        "refused": ("failed", 1),
        "put_off": ("success", 2),
    }
    assert running_stack.xcom("workers_retries", run_id, "put_off") == 1055
