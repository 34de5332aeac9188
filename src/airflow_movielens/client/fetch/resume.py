"""Reading all of a table, from one state of the server's data."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

import tenacity

from airflow_movielens.client.errors import RatingsChangedError
from airflow_movielens.client.fetch.parts import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from airflow_movielens.client.fetch.parts import PartStore
    from airflow_movielens.client.fetch.progress import Meter
    from airflow_movielens.client.rows import Batch, Bookmark

log = logging.getLogger(__name__)

ATTEMPTS = 4
"""How often a window is begun before it is given up because the data keeps changing."""


def attempts() -> tenacity.Retrying:
    """The attempts to read something whole: another one if the data changed meanwhile, up to `ATTEMPTS`."""
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random(0.1, 1.0),
        retry=tenacity.retry_if_exception_type(RatingsChangedError),
        before_sleep=_log_start_over,
        reraise=True,
    )


def _log_start_over(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("Starting over, attempt %d of %d: %s", state.attempt_number + 1, ATTEMPTS, error)


def read_table(read: Callable[[Bookmark | None], Iterator[Batch]], store: PartStore, meter: Meter) -> None:
    """Fill ``store`` with the rest of its window; if the data changed meanwhile, start over, a bounded number of times.

    Args:
        read: Reads the batches behind a bookmark.
        store: Holds exactly the window afterwards.
        meter: Counts the batches.

    Raises:
        RatingsChangedError: The data kept changing in every attempt.
        MovielensError: See its subclasses.
    """
    for attempt in attempts():
        with attempt:
            try:
                _read_rest(read, store, meter)
            except RatingsChangedError:
                store.start_over()
                raise


def _read_rest(read: Callable[[Bookmark | None], Iterator[Batch]], store: PartStore, meter: Meter) -> None:
    bookmark = store.checkpoint.bookmark
    meter.resume(bookmark)
    if not store.checkpoint.is_complete:
        with store.settled(), closing(_counted(read(bookmark), meter)) as batches:
            for part in cut(batches):
                store.add(part)


def _counted(batches: Iterator[Batch], meter: Meter) -> Generator[Batch, None, None]:
    try:
        for batch in batches:
            meter.count(batch.bookmark)
            yield batch
    finally:
        # Gives up what is under way.
        if hasattr(batches, "close"):
            batches.close()
