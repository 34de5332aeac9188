"""The days of a list: what is wrong with each, and how to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.backfills import backfill_command, dag_of
from airflow_movielens.plugin.partitions.figures import Span, spans
from airflow_movielens.plugin.partitions.status import Status, describe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from airflow_movielens.plugin.partitions.dataset import Dataset
    from airflow_movielens.storage.catalogue import TaskRun


@dataclass(frozen=True)
class Item:
    """A day, or consecutive days that were never fetched.

    Attributes:
        span: The days.
        text: What is known about them, in one line without the date.
        statuses: What is wrong with them, the most severe first.
        error: Why the last fetch failed; None if it did not.
        task: The task instance to clear; None if no task can fix it.
        further: The number of further rankings to make again.
        command: The command that fetches the days for the first time; None if there is a task, or no Dag is known.
    """

    span: Span
    text: str
    statuses: list[Status]
    error: str | None
    task: TaskRun | None
    further: int
    command: str | None

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should fix the days."""
        return any(status.needs_attention for status in self.statuses)


def items(dataset: Dataset, days: Iterable[date]) -> list[Item]:
    """Return what is known about days, the newest first; days that were never fetched together.

    Args:
        dataset: The dataset.
        days: Known days, ascending.
    """
    days = list(days)
    never = {day for day in days if dataset.statuses[day] == [Status.MISSING] and day not in dataset.partitions}
    others = [Span(day, day) for day in days if day not in never]
    ordered = sorted([*spans(sorted(never)), *others], key=lambda span: span.first, reverse=True)
    return [_item(dataset, span) for span in ordered]


def _item(dataset: Dataset, span: Span) -> Item:
    day = span.first
    partition, statuses = dataset.partitions.get(day), dataset.statuses[day]
    last = None if partition is None else partition.last
    task = _task(dataset, day)
    dag_id = dag_of(dataset, day)
    return Item(
        span=span,
        text=describe(day, partition, statuses).partition(": ")[2],
        statuses=statuses,
        error=last.error if last is not None else None,
        task=task,
        further=max(len(dataset.outdated_of(day)) - 1, 0) if Status.FAILED not in statuses else 0,
        command=backfill_command(dag_id, span) if Status.MISSING in statuses and dag_id and task is None else None,
    )


def _task(dataset: Dataset, day: date) -> TaskRun | None:
    statuses = dataset.statuses[day]
    if Status.OUTDATED in statuses and Status.FAILED not in statuses:
        return next((ranking.task for ranking in dataset.outdated_of(day) if ranking.task is not None), None)
    partition = dataset.partitions.get(day)
    return None if partition is None else partition.last.task
