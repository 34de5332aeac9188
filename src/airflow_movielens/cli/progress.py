"""Progress on stderr: a bar in a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_movielens.cli.stand_in import Progress

    Show = Callable[[Progress], None]

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def shown_progress(*, quiet: bool, plain: bool) -> Iterator[Show]:
    """Give what shows progress: call it with each `Progress`.

    Args:
        quiet: Show nothing.
        plain: Show lines, in a terminal too.
    """
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty() and not plain:
        with _bar() as show:
            yield show
    else:
        yield every_few_seconds()


def every_few_seconds(now: Callable[[], float] = time.monotonic) -> Show:
    """Give what prints a line about progress, but not oftener than every five seconds.

    Args:
        now: A clock, in seconds.
    """
    speed, shown_at = Speed(now), now()

    def show(progress: Progress) -> None:
        nonlocal shown_at
        line = speed.describe(progress)
        if now() - shown_at >= _SECONDS_BETWEEN_LINES:
            shown_at = now()
            print(line, file=sys.stderr, flush=True)

    return show


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        speed, task = Speed(), bar.add_task("asking", total=None)
        yield lambda progress: bar.update(
            task, description=speed.describe(progress), completed=progress.rows, total=progress.total
        )


class Speed:
    """How fast rows come, from the first progress on: what came in an earlier attempt does not count.

    Args:
        now: A clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._first: tuple[int, float] | None = None

    def describe(self, progress: Progress) -> str:
        """Rows, and as far as known: of how many, how fast, how much longer."""
        rate = self._rate(progress.rows)
        words = f"{progress.rows:,} ratings"
        if progress.total is not None:
            words = f"{progress.rows:,} of {progress.total:,} ratings ({_percent(progress.rows, progress.total)} %)"
        if rate:
            words += f", {rate:,.0f}/s"
        if rate and progress.total is not None:
            words += f", {timedelta(seconds=round((progress.total - progress.rows) / rate))} left"
        return words

    def _rate(self, rows: int) -> float:
        if self._first is None:
            self._first = rows, self._now()
        first_rows, begun = self._first
        seconds = self._now() - begun
        return (rows - first_rows) / seconds if seconds > 0 else 0.0


def _percent(rows: int, total: int) -> int:
    return 100 * rows // total if total else 100
