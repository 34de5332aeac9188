"""Stands in for the resumable fetch until that is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.fetch.whole_window import fetch_window
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.ratings.spool import Spool
from airflow_movielens.storage import write_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.client import MovielensClient, Window


@dataclass(frozen=True)
class Progress:
    """How far a fetch is: rows so far, and of how many, if known."""

    rows: int
    total: int | None


def fetch_ratings(
    client: MovielensClient,
    window: Window,
    output: str,
    *,
    batch_size: int | None = None,
    on_bad_rows: str = "fail",
    progress: Callable[[Progress], None],
) -> dict[str, Any]:
    """Fetch a window into a file."""
    assert on_bad_rows  # noqa: S101 - a stand-in
    with Spool(RATINGS) as spool:
        progress(Progress(0, None))
        fetch_window(client, window, spool, batch_size)
        progress(Progress(spool.rows, spool.rows))
        write_output(spool.scan(), output)
        return {"path": output, "rows": spool.rows, "resumed_rows": 0, "bad_rows": 0}
