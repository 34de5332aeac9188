"""``movielens fetch``: fetch the ratings of a window into a file."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from airflow_movielens.cli.api_options import add_api_options, api_settings
from airflow_movielens.cli.exit_status import UsageError
from airflow_movielens.client.window import Window
from airflow_movielens.ratings.messages import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from airflow_movielens.client.fetch.output import Manifest
    from airflow_movielens.client.fetch.progress import Progress

    Show = Callable[[Progress], None]

_WHEN_STOPPED = "run the same command again to resume from the data on disk"

_SECONDS_BETWEEN_LINES = 5.0


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    summary = "fetch the ratings of a window into a file, exactly"
    parser = commands.add_parser("fetch", help=summary, description=f"{summary.capitalize()}.")
    parser.add_argument(
        "--start-date", required=True, metavar="DAY", help="first day of the window, YYYY-MM-DD, in UTC"
    )
    parser.add_argument("--end-date", required=True, metavar="DAY", help="first day after the window")
    parser.add_argument(
        "--output-path", required=True, metavar="PATH", help="file or URL; .json, .ndjson, .csv, .parquet"
    )
    parser.add_argument(
        "--on-bad-rows",
        choices=["fail", "quarantine"],
        default="fail",
        help="how to handle rows that break the contract (default: %(default)s)",
    )
    add_api_options(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--quiet", action="store_true", help="no progress, no warnings")
    output.add_argument("--debug", action="store_true", help="log each request; print a traceback with an error")
    parser.set_defaults(prepare=prepare, when_stopped=_WHEN_STOPPED)


def prepare(options: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments, and return the function that fetches."""
    from airflow_movielens.client.client import MovielensClient
    from airflow_movielens.client.fetch import fetch_ratings
    from airflow_movielens.storage.files import output_of

    window = _window(options.start_date, options.end_date)
    with redirect_stdout(sys.stderr):  # Airflow logs to stdout when object storage first uses it
        output = output_of(options.output_path)
    client = MovielensClient(**vars(api_settings(options)))
    _set_logging(debug=options.debug, quiet=options.quiet)

    def run() -> None:
        begun, latest = time.monotonic(), None

        def report(progress: Progress) -> None:
            nonlocal latest
            latest = progress
            show(progress)

        with redirect_stdout(sys.stderr), client, shown_progress(quiet=options.quiet, plain=options.debug) as show:
            manifest = fetch_ratings(client, window, output, on_bad_rows=options.on_bad_rows, progress=report)
        resumed_rows = latest.resumed_rows if latest else 0
        print(*map(printable, _result(manifest, window, resumed_rows, time.monotonic() - begun)), sep="\n")

    return run


def _window(start_date: str, end_date: str) -> Window:
    window = Window.of(start_date, end_date)
    if window.start == window.end:
        raise UsageError(f"the window has no length: --end-date {end_date} is the first day after the window")
    return window


def _set_logging(*, debug: bool, quiet: bool) -> None:
    # Warnings reach stderr by Python's handler of last resort, which works with a progress bar.
    if debug:
        logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(name)s: %(message)s")
    elif quiet:
        logging.getLogger("airflow_movielens").setLevel(logging.ERROR)


def _result(manifest: Manifest, window: Window, resumed_rows: int, seconds: float) -> Iterator[str]:
    rate = max(manifest.rows - resumed_rows, 0) / seconds
    resumed = f"; {resumed_rows:,} of them are from an earlier attempt" if resumed_rows else ""
    yield f"{manifest.rows:,} ratings of {window} in {manifest.path} ({seconds:.1f} s, {rate:,.0f}/s){resumed}"
    if manifest.quarantined:
        yield f"{manifest.quarantined:,} rows that break the contract in {manifest.quarantine_path}"


@contextmanager
def shown_progress(*, quiet: bool, plain: bool) -> Iterator[Show]:
    """Yield a function that shows each `Progress` on stderr: a bar in a terminal, otherwise a line every few seconds.

    Args:
        quiet: Whether to show nothing.
        plain: Whether to show lines in a terminal too.
    """
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty() and not plain:
        with _bar() as show:
            yield show
    else:
        yield _lines()


def _lines() -> Show:
    due = _SECONDS_BETWEEN_LINES

    def show(progress: Progress) -> None:
        nonlocal due
        if progress.seconds >= due:
            due = progress.seconds + _SECONDS_BETWEEN_LINES
            print(progress, file=sys.stderr, flush=True)

    return show


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("connecting", total=None)
        yield lambda progress: bar.update(
            task, description=str(progress), completed=progress.rows, total=progress.total
        )
