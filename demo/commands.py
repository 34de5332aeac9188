"""What `make demo` and `make up` do, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from demo import pipeline
from demo.credentials import Credentials
from demo.failure import DagImportError
from demo.interruption import Interruption
from demo.layout import Layout
from demo.processes import Component
from demo.report import Report
from demo.stack import Stack
from demo.watch import Watch

TOP = 10
TIMEOUT_SECONDS = 600


def run_demo(layout: Layout, report: Report, interruption: Interruption, connection_password: str | None) -> None:
    """Start everything, fetch and rank a fortnight, stop everything, show the result."""
    credentials = replace(Credentials.load(layout.local), api_password=Credentials().api_password)
    watch = Watch(interruption, TIMEOUT_SECONDS)
    stack = Stack(layout, credentials, watch, connection_password, follow_schedules=False)
    with stack, stopped_afterwards(stack, report):
        start(stack, report)
        title = f"Fetching {len(pipeline.DAYS)} days by a backfill of {pipeline.FETCHING}"
        with report.step(title), report.days() as show:
            fetched = pipeline.fetch(stack.airflow, watch, show)
        with report.step(f"Ranking the whole period by a run of {pipeline.RANKING}"):
            ranking = pipeline.rank(stack.airflow, watch)
    report.fetched(fetched, layout)
    report.ranking(pipeline.top_movies(ranking, TOP), pipeline.MIN_RATINGS)
    report.files(layout, ranking)


def run_up(layout: Layout, report: Report, interruption: Interruption) -> None:
    """Start everything, say how to use it, and keep it running until Ctrl-C."""
    watch = Watch(interruption, TIMEOUT_SECONDS)
    stack = Stack(layout, Credentials.load(layout.local), watch)
    with stack, stopped_afterwards(stack, report):
        try:
            start(stack, report)
        except DagImportError as error:
            report.failure(error)
        report.addresses(stack)
        watch.until_interrupted(restart=lambda component: restart(component, stack, report))


def restart(component: Component, stack: Stack, report: Report) -> None:
    """Start a component again that has ended, and say so."""
    stack.restart(component)
    report.say(f"{component.name} ended with exit code {component.exit_code} and was started again")


@contextmanager
def stopped_afterwards(stack: Stack, report: Report) -> Iterator[None]:
    """Stop the stack before the user's eyes, whether all went well or not."""
    try:
        yield
    finally:
        with report.step("Stopping all processes"):
            stack.stop()


def start(stack: Stack, report: Report) -> None:
    """Start the stack and wait until all of it works."""
    for note in stack.port_notes:
        report.say(note)
    with report.step("Loading real ratings into movielens-api, preparing Airflow's database (embedded SQLite)"):
        stack.start_api()
        stack.prepare_database()
        stack.wait_for_api()
    with report.step("Starting Airflow: api-server, scheduler, dag-processor, triggerer"):
        stack.start_airflow()
        stack.wait_for_airflow()
    with report.step("Reading the Dags"):
        stack.wait_for_dags(pipeline.DAGS)
        pipeline.end_interrupted_runs(stack.airflow)
