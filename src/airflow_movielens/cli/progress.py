"""Progress on stderr: a bar in a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_movielens.client.fetch.progress import Progress

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
        task = bar.add_task("asking", total=None)
        yield lambda progress: bar.update(
            task, description=str(progress), completed=progress.rows, total=progress.total
        )
