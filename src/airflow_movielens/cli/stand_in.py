"""Stands in for the resumable fetch until that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.client.fetch.manifest import Manifest
from airflow_movielens.client.fetch.progress import Progress
from airflow_movielens.client.fetch.whole_window import fetch_window
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.ratings.spool import Spool
from airflow_movielens.storage import write_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.client import MovielensClient, Window


def fetch_ratings(
    client: MovielensClient,
    window: Window,
    output: str,
    *,
    batch_size: int | None = None,
    on_bad_rows: str = "fail",
    progress: Callable[[Progress], None],
) -> Manifest:
    """Fetch a window into a file."""
    assert on_bad_rows  # noqa: S101 - a stand-in
    with Spool(RATINGS) as spool:
        progress(Progress(0, None, 0, 0.0))
        fetch_window(client, window, spool, batch_size)
        progress(Progress(spool.rows, spool.rows, 1, 0.1))
        write_output(spool.scan(), output)
        days = str(window.start), str(window.end)
        return Manifest(output, *days, spool.rows, 0, None, None, "", 0, client.settings.base_url, "", "")
