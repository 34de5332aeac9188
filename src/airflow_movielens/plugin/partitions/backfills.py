"""The Dag that fetches a day again, and the command for it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from airflow_movielens.plugin.partitions.dataset import Dataset
    from airflow_movielens.plugin.partitions.figures import Span


def dag_of(dataset: Dataset, day: date) -> str | None:
    """Return the Dag that fetches a day; None if it is not known.

    It is the Dag that was the first to fetch the day, because another one may only fetch late days again. Of a day that
    was never fetched, it is the one that was the first to fetch most days.
    """
    partition = dataset.partitions.get(day)
    own = None if partition is None else partition.first_dag
    return own or dataset.usual_dag


def backfill_command(dag_id: str, span: Span) -> str:
    """Return the command that fetches days again, and whatever depends on them."""
    dates = f"--from-date {span.first} --to-date {span.last}"
    return f"airflow backfill create --dag-id {shlex.quote(dag_id)} {dates} --reprocess-behavior completed"
