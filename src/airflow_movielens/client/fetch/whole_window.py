"""A whole window of ratings, from one state of the server's data."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import tenacity

from airflow_movielens.client.errors import RatingsChangedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from airflow_movielens.client.client import MovielensClient
    from airflow_movielens.client.window import Window
    from airflow_movielens.ratings.spool import Spool

log = logging.getLogger(__name__)

ATTEMPTS = 4
"""How often a window is begun before it is given up because the data keeps changing."""


def fetch_window(client: MovielensClient, window: Window, spool: Spool, batch_size: int | None = None) -> None:
    """Fill ``spool`` with the ratings of ``window``; if they change meanwhile, start over, a bounded number of times.

    Args:
        client: Where the ratings come from.
        window: The days wanted.
        spool: Empty; holds exactly the window's ratings afterwards.
        batch_size: Rows to ask for in one request; None for the client's page size.

    Raises:
        RatingsChangedError: The data kept changing in every attempt.
        MovielensError: See its subclasses.
    """
    fill(spool, lambda: client.get_rating_frames(window.start, window.end, batch_size))


def fill(spool: Spool, read: Callable[[], Iterator[pl.DataFrame]]) -> None:
    """Fill ``spool`` with all that ``read`` yields; if the data changes meanwhile, read again from the start.

    Raises:
        RatingsChangedError: The data kept changing in every attempt.
        MovielensError: See its subclasses.
    """
    for attempt in _attempts():
        with attempt:
            spool.clear()
            spool.extend(read())


def _attempts() -> tenacity.Retrying:
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random(0.1, 1.0),
        retry=tenacity.retry_if_exception_type(RatingsChangedError),
        before_sleep=tenacity.before_sleep_log(log, logging.WARNING),
        reraise=True,
    )
