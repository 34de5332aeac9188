"""`python -m benchmarks.celery`: a month's backfill on two workers and on one, and the loss of a worker."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.celery.backfill import Backfill, run_backfill
from benchmarks.celery.cluster import HEARTBEAT_TIMEOUT, IN_FLIGHT, Cluster, cluster
from benchmarks.celery.loss import Loss, lose_a_worker
from benchmarks.failure import BenchmarkError
from benchmarks.progress import say
from benchmarks.tables import Target, table, verdicts
from demo.errors import DemoError
from demo.stack import WORKER_NAMES

PACKAGES = ("airflow-movielens", "apache-airflow", "apache-airflow-providers-celery", "celery")
DAGS = {"month_movielens": "at once", "month_slow": "5 rows a second"}
SEED = 19
# Of 41 pages: not so early that nothing is saved.
POINTS = range(20, 37)
MOST_SECONDS = 60
LEAST_SPEEDUP = 1.5
Backfills = dict[tuple[str, int], Backfill]


def main() -> int:
    """Run the benchmark; the exit code is 1 if something failed."""
    arguments = _parser().parse_args()
    notes = machine.notes(PACKAGES)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-celery-") as folder, cluster(Path(folder)) as running:
            backfills = _backfills(running, arguments.days)
            losses = _losses(running, arguments.losses)
    except (BenchmarkError, DemoError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    report = ["\n".join(f"- {note}" for note in notes), _table(backfills, arguments.days), _of_losses(losses)]
    print("\n\n".join([*report, verdicts(_judge(backfills, losses))]))
    return 0


def _backfills(running: Cluster, days: int) -> Backfills:
    found = {}
    for dag_id in DAGS:
        run_backfill(running, dag_id, days=4)  # the first tasks of a worker take longer
    for workers in (2, 1):
        for name in WORKER_NAMES[workers:]:
            running.stop_worker(name)
        for dag_id, speed in DAGS.items():
            say(f"{days} days from an API that answers {speed}, on {workers} workers")
            found[dag_id, workers] = run_backfill(running, dag_id, days)
        running.start_missing_workers()
    return found


def _losses(running: Cluster, number: int) -> list[Loss]:
    found = []
    for point in random.Random(SEED).sample(POINTS, number):
        say(f"a worker is killed after {point} pages of a fetch")
        found.append(lose_a_worker(running, point))
    return found


def _table(backfills: Backfills, days: int) -> str:
    rows = []
    for dag_id, speed in DAGS.items():
        one, two = backfills[dag_id, 1], backfills[dag_id, 2]
        memory = f"{max(one.megabytes, two.megabytes):.0f} MB"
        ratio = one.seconds / two.seconds
        rows.append([str(days), speed, f"{one.seconds:.0f} s", f"{two.seconds:.0f} s", f"{ratio:.2f} x", memory])
    return table(["days", "the API answers", "one worker", "two workers", "ratio", "a worker's memory"], rows)


def _of_losses(losses: list[Loss]) -> str:
    rows = [[f"{loss.seconds:.0f} s", str(loss.pages)] for loss in losses]
    return table(["from the kill to the first request again", "pages requested again"], rows)


def _judge(backfills: Backfills, losses: list[Loss]) -> Iterator[Target]:
    ratio = backfills["month_slow", 1].seconds / backfills["month_slow", 2].seconds
    yield Target(
        f"a slow API, two workers: at least {LEAST_SPEEDUP} x as fast as one", f"{ratio:.2f} x", ratio >= LEAST_SPEEDUP
    )
    if losses:
        slowest = max(loss.seconds for loss in losses)
        yield Target(
            f"resumes within {MOST_SECONDS} s (heartbeat timeout {HEARTBEAT_TIMEOUT} s)",
            f"{median(loss.seconds for loss in losses):.0f} s, at most {slowest:.0f} s",
            slowest <= MOST_SECONDS,
        )
        pages = max(loss.pages for loss in losses)
        yield Target(f"requests at most the {IN_FLIGHT} pages in flight again", f"at most {pages}", pages <= IN_FLIGHT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.celery", description=__doc__)
    parser.add_argument("--days", type=int, default=30, help="how many days a backfill has (default: 30)")
    parser.add_argument("--losses", type=int, default=5, help="how often a worker is killed (default: 5)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
