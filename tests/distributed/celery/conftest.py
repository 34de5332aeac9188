"""The running stack that all these tests share."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from e2e.running_stack import RunningStack
from e2e.up import SETTINGS

from benchmarks.celery.cluster import Cluster
from demo.__main__ import start
from demo.configuration import Credentials
from demo.layout import ROOT, Layout
from demo.report import Report
from demo.stack import Stack
from demo.watch import Interruption, Watch

TIMEOUT_SECONDS = 3600
POLL_SECONDS = 0.5
# Slow enough to be killed at any page, with several requests in flight.
PAGE_SIZE, CONCURRENCY, REQUESTS_PER_SECOND = 2500, 4, 4
SLOW = {"page_size": PAGE_SIZE, "concurrency": CONCURRENCY, "requests_per_second": REQUESTS_PER_SECOND}
SLOW |= {"data_format": "json"}


class CeleryStack(RunningStack):
    """A running stack with workers of Celery."""

    def __init__(self, stack, output):
        super().__init__(stack.layout, stack.credentials, stack.watch, stack.airflow, stack.api_address, output)
        object.__setattr__(self, "stack", stack)

    @property
    def bucket(self):
        """Return the URL of the Dags' files."""
        return self.stack.data_root

    @property
    def cluster(self):
        """Return the workers and the requests of the stack."""
        return Cluster(self.stack)


@pytest.fixture(scope="session")
def celery_stack(tmp_path_factory):
    """Start PostgreSQL, Valkey, S3, movielens-api, Airflow and two workers, and stop them."""
    folder = tmp_path_factory.mktemp("celery")
    layout = Layout(folder / "local", folder / "dags")
    for source in (ROOT / "dags", Path(__file__).with_name("dags")):
        shutil.copytree(source, layout.dags, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    layout.create()
    watch = Watch(Interruption(), TIMEOUT_SECONDS, POLL_SECONDS)
    credentials = Credentials.load(layout.local)
    with Stack(layout, credentials, watch, settings=SETTINGS, services=["celery", "s3"]) as stack:
        start(stack, Report())
        running = CeleryStack(stack, layout.logs)
        user, password = running.api_login
        slow = {"connection_id": "slow", "conn_type": "movielens", "host": "127.0.0.1", "port": stack.api_port}
        slow |= {"login": user, "password": password, "extra": json.dumps(SLOW)}
        running.airflow.post("/connections", slow)
        os.environ |= stack.services.variables()  # the tests read the bucket, too
        yield running
