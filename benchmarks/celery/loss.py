"""A worker that is killed in the middle of a fetch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

from benchmarks.celery.cluster import Cluster
from benchmarks.failure import BenchmarkError

DAG_ID = "large_fetch"


@dataclass(frozen=True)
class Loss:
    """What the loss of a worker has cost.

    Attributes:
        seconds: From the kill until the other worker sent its first request.
        pages: How many pages were requested again.
    """

    seconds: float
    pages: int


def lose_a_worker(cluster: Cluster, point: int) -> Loss:
    """Kill the worker of a fetch after some of its pages, and wait until another worker has finished it.

    Args:
        cluster: The stack.
        point: After how many responses.
    """
    airflow = cluster.airflow
    before = len(cluster.requests())
    airflow.set_paused(DAG_ID, paused=False)
    run_id = airflow.trigger(DAG_ID, {})
    cluster.watch.until(f"{point} pages", lambda: len(cluster.requests()) - before >= point)
    (task,) = airflow.tasks(DAG_ID, run_id)
    killed = datetime.now(UTC)
    cluster.kill_worker(cluster.worker_of(task["pid"]))
    cluster.watch.until("the retry", lambda: airflow.run(DAG_ID, run_id)["state"] in ("success", "failed"))
    (task,) = airflow.tasks(DAG_ID, run_id)
    if (task["state"], task["try_number"]) != ("success", 2):
        raise BenchmarkError(f"the fetch is {task['state']} after try {task['try_number']}")
    cluster.start_missing_workers()
    requests = cluster.requests()[before:]
    # A request that was in flight may be answered shortly after the kill.
    begun = datetime.fromisoformat(task["start_date"])
    first = min(time for time in map(_time, requests) if time >= begun)
    offsets = Counter(tuple(parse_qs(request["query"]).get("offset", [])) for request in requests)
    return Loss((first - killed).total_seconds(), offsets.total() - len(offsets))


def _time(request: dict[str, str]) -> datetime:
    return datetime.fromisoformat(request["time"])
