"""A backfill, from its creation until the last of its runs has ended."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from benchmarks.celery.cluster import Cluster
from benchmarks.failure import BenchmarkError
from benchmarks.memory import of_family
from demo.stack import WORKER_NAMES

# No day has much more ratings than the others.
FIRST = date(2005, 4, 1)


@dataclass(frozen=True)
class Backfill:
    """What a backfill took.

    Attributes:
        seconds: From its creation until its last run had ended.
        megabytes: The highest memory of a worker with its tasks (PSS).
    """

    seconds: float
    megabytes: float


def run_backfill(cluster: Cluster, dag_id: str, days: int) -> Backfill:
    """Run a Dag for each day of a period, on the workers that run."""
    airflow = cluster.airflow
    airflow.set_paused(dag_id, paused=False)
    last = FIRST + timedelta(days=days - 1)
    body = {"dag_id": dag_id, "from_date": f"{FIRST}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    workers = [component for component in cluster.watch.components if component.name in WORKER_NAMES]
    highest = 0.0
    began = datetime.now(UTC)
    airflow.post("/backfills", {**body, "reprocess_behavior": "completed", "max_active_runs": 16})
    while airflow.unfinished_backfills(dag_id):
        cluster.watch.check(f"the backfill of {dag_id}")
        highest = max(highest, *(of_family(worker.session).pss for worker in workers))
        time.sleep(1)
    # Yesterday's run is scheduled beside it.
    found = airflow.runs(dag_id, start_date_gte=began.isoformat())
    runs = [run for run in found if run["run_type"] == "backfill"]
    if [run["state"] for run in runs] != ["success"] * days:
        raise BenchmarkError(f"the backfill of {dag_id} has runs that are {sorted({run['state'] for run in runs})}")
    # Airflow notices only every half minute that a backfill has ended.
    seconds = (max(datetime.fromisoformat(run["end_date"]) for run in runs) - began).total_seconds()
    return Backfill(seconds, highest)
