"""A stack whose workers can be stopped, killed and started."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from demo.__main__ import start
from demo.configuration import API_USER, Credentials
from demo.layout import Layout
from demo.processes import Component, process_groups, stop
from demo.report import Report
from demo.stack import WORKER_NAMES, Stack
from demo.watch import Interruption, Watch

SECONDS = 3600
POLL_SECONDS = 0.2
# Seconds without a heartbeat after which the task of a lost worker is retried.
HEARTBEAT_TIMEOUT = 20
SETTINGS: dict[str, dict[str, str | int | float]] = {
    "scheduler": {
        "task_instance_heartbeat_timeout": HEARTBEAT_TIMEOUT,
        "task_instance_heartbeat_timeout_detection_interval": 2,
    },
    "dag_processor": {"refresh_interval": 600, "min_file_process_interval": 600},
}
PAGE_ROWS = 2_500
IN_FLIGHT = 4
# The API limits each task: a day takes seconds of waiting, or a large fetch long enough to be killed.
LIMITS = {
    "slow": {"page_size": 10, "requests_per_second": 0.5, "concurrency": 1, "data_format": "json"},
    "large": {"page_size": PAGE_ROWS, "requests_per_second": 4, "concurrency": IN_FLIGHT, "data_format": "json"},
}


class Cluster:
    """The stack.

    Args:
        stack: The stack, after its start.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.airflow = stack.airflow
        self.watch = stack.watch

    def worker(self, name: str) -> Component:
        """Return a worker that runs."""
        return next(component for component in self.watch.components if component.name == name)

    def worker_of(self, process: int) -> str:
        """Return the name of the worker that a process belongs to."""
        session = os.getsid(process)
        return next(component.name for component in self.watch.components if component.session == session)

    def stop_worker(self, name: str) -> None:
        """Stop a worker."""
        worker = self.worker(name)
        self.watch.components.remove(worker)
        stop([worker])

    def kill_worker(self, name: str) -> None:
        """Kill a worker and all its processes at once."""
        worker = self.worker(name)
        self.watch.components.remove(worker)
        for group in process_groups({worker.session}):
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def start_missing_workers(self) -> None:
        """Start the workers that do not run, and wait until they accept tasks."""
        running = {component.name for component in self.watch.components}
        for name in WORKER_NAMES:
            if name not in running:
                self.stack.start_worker(name)
        self.stack.wait_for_workers()

    def requests(self) -> list[dict[str, str]]:
        """Return the requests for ratings that the API has responded to, from its access log."""
        lines = self.stack.log_of("movielens-api").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if '"path":"/ratings"' in line]


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start the stack with two workers and the Dags of the benchmark, and stop it.

    Args:
        folder: A folder for its files.
    """
    layout = Layout(folder / "local", folder / "dags")
    shutil.copytree(Path(__file__).with_name("dags"), layout.dags, ignore=shutil.ignore_patterns("__pycache__"))
    layout.create()
    watch = Watch(Interruption(), SECONDS, POLL_SECONDS)
    credentials = Credentials.load(layout.local)
    with Stack(layout, credentials, watch, settings=SETTINGS, services=["celery"]) as stack:
        start(stack, Report(), dags=("month_movielens", "month_slow", "large_fetch"))
        for conn_id, limits in LIMITS.items():
            connection = {"conn_type": "movielens", "host": "127.0.0.1", "port": stack.api_port, "login": API_USER}
            connection |= {"password": credentials.api_password, "extra": json.dumps(limits)}
            stack.airflow.post("/connections", {"connection_id": conn_id, **connection})
        yield Cluster(stack)
