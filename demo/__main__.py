"""`python -m demo run` and `python -m demo up`."""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from demo import pipeline
from demo.configuration import Credentials
from demo.errors import DagImportError, DemoError, Interrupted
from demo.layout import Layout
from demo.recommendations import recommend
from demo.report import Report
from demo.services.selection import NAMES
from demo.stack import WORKER_NAMES, Stack
from demo.watch import Interruption, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from demo.configuration import Sections
    from demo.processes import Component

TOP = 10
TOP_OF_PERSON = 5
TIMEOUT_SECONDS = 600


def main(arguments: Sequence[str] | None = None, layout: Layout | None = None, settings: Sections | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: The command line, by default this process's own.
        layout: The stack's folders, by default in the folder that the environment names.
        settings: Settings of Airflow that override the stack's.
    """
    options = _parser().parse_args(arguments)
    report, interruption, layout = Report(), Interruption(), layout or Layout.from_environment()
    interruption.install()
    try:
        layout.create()
        if options.command == "up":
            run_up(layout, report, interruption, options.services, settings)
        else:
            run_demo(layout, report, interruption, options.connection_password)
    except DemoError as error:
        report.failure(error)
        return 1
    except Interrupted as interrupted:
        report.say("Interrupted; nothing is left running.")
        return interrupted.exit_code
    return 0


def run_demo(layout: Layout, report: Report, interruption: Interruption, connection_password: str | None) -> None:
    """Start everything, fetch and rank a fortnight, recommend movies, stop everything, show the result."""
    credentials = replace(Credentials.load(layout.local), api_password=Credentials().api_password)
    watch = Watch(interruption, TIMEOUT_SECONDS)
    stack = Stack(layout, credentials, watch, connection_password, follow_schedules=False)
    with stack, stopped_afterwards(stack, report):
        start(stack, report)
        title = f"Fetching {len(pipeline.DAYS)} days by a backfill of {pipeline.FETCHING}"
        with report.step(title), report.days() as show:
            fetched = pipeline.fetch(stack.airflow, watch, show)
        with report.step(f"Ranking the whole period by a run of {pipeline.RANKING}"):
            rankings = pipeline.rank(stack.airflow, watch)
        with report.step(f"Training and judging a model on all ratings by a run of {pipeline.RECOMMENDING}"):
            recommendations = recommend(stack)
    report.fetched(fetched, layout)
    report.rankings(rankings, TOP)
    report.recommendations(recommendations, layout, TOP_OF_PERSON)
    report.files(layout, rankings.folder, stack.page_address)


def run_up(
    layout: Layout,
    report: Report,
    interruption: Interruption,
    services: Sequence[str] = (),
    settings: Sections | None = None,
) -> None:
    """Start everything, say how to use it, and keep it running until Ctrl-C."""
    watch = Watch(interruption, TIMEOUT_SECONDS)
    stack = Stack(layout, Credentials.load(layout.local), watch, settings=settings, services=services)
    with stack, stopped_afterwards(stack, report):
        try:
            start(stack, report)
        except DagImportError as error:
            report.failure(error)
        report.addresses(stack)
        watch.until_interrupted(restart=lambda component: _restart(component, stack, report))


def start(stack: Stack, report: Report, dags: Sequence[str] = pipeline.DAGS) -> None:
    """Start the stack and wait until all of it works.

    Args:
        stack: The stack.
        report: Where each step is reported.
        dags: The Dags to wait for.
    """
    for note in stack.port_notes:
        report.say(note)
    if services := stack.services.running:
        with report.step(f"Starting {', '.join(service.name for service in services)}"):
            stack.start_services()
    with report.step(
        f"Loading real ratings into movielens-api, preparing Airflow's database ({stack.services.database})"
    ):
        stack.start_api()
        stack.prepare_database()
        stack.wait_for_api()
    with report.step("Starting Airflow: api-server, scheduler, dag-processor, triggerer"):
        stack.start_airflow()
        stack.wait_for_airflow()
    if stack.services.valkey is not None:
        with report.step(f"Starting Celery's workers: {', '.join(WORKER_NAMES)}"):
            stack.start_workers()
    with report.step("Reading the Dags"):
        stack.wait_for_dags(dags)
        pipeline.end_interrupted_runs(stack.airflow, dags)


def _restart(component: Component, stack: Stack, report: Report) -> None:
    """Restart a component that has ended, and report it."""
    stack.restart(component)
    report.say(f"{component.name} ended with exit code {component.exit_code} and was restarted")


@contextmanager
def stopped_afterwards(stack: Stack, report: Report) -> Iterator[None]:
    """Stop the stack as a step that the user sees, whether or not all went well."""
    try:
        yield
    finally:
        with report.step("Stopping all processes"):
            stack.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="keep movielens-api and Airflow running until Ctrl-C")
    up.add_argument(
        "--services",
        type=lambda text: [name for name in text.split(",") if name],
        default=[],
        help=f"servers to start and use, separated by commas: {', '.join(NAMES)}",
    )
    run = commands.add_parser("run", help="fetch and rank a fortnight, recommend movies, then stop everything")
    run.add_argument(
        "--connection-password", help="a password for Airflow's calls to the API, to see what a failure looks like"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
