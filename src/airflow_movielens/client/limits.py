"""The limits of a whole fetch: how many ratings it may read, and how long it may take."""

from __future__ import annotations

from contextlib import closing
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import AbortedError, DataError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from airflow_movielens.client.rows import Batch, Bookmark


class Limits:
    """The limits of one fetch, whose time begins now.

    Args:
        max_rows: How many ratings it may read, also those that are quarantined; None for no limit.
        max_seconds: How many seconds it may take; None for no limit.
    """

    def __init__(self, max_rows: int | None, max_seconds: float | None) -> None:
        self._max_rows = max_rows
        self._max_seconds = max_seconds
        self._begun = monotonic()

    def apply(self, batches: Generator[Batch, None, None], abort: Callable[[], None]) -> Generator[Batch, None, None]:
        """Yield the batches as long as they keep the limits.

        Args:
            batches: The batches.
            abort: Called from another thread when the time is over, to cut off the requests in flight.

        Raises:
            DataError: There are too many ratings, or the API announces too many.
            RetryableError: It takes too long. What is durable can be resumed.
        """
        timer = None
        if self._max_seconds is not None:
            timer = Timer(max(self._begun + self._max_seconds - monotonic(), 0.0), abort)
            timer.daemon = True
            timer.start()
        try:
            with closing(batches):
                for batch in batches:
                    self._check_rows(batch.bookmark)
                    yield batch
                    if not batch.is_last:
                        self._check_time()
        except AbortedError:
            self._check_time()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _check_rows(self, bookmark: Bookmark) -> None:
        if self._max_rows is None:
            return
        if bookmark.total is not None and bookmark.total > self._max_rows:
            raise DataError(f"the API announces {bookmark.total:,} ratings, more than max_rows={self._max_rows}")
        if bookmark.count > self._max_rows:
            raise DataError(f"the API has sent {bookmark.count:,} ratings, more than max_rows={self._max_rows}")

    def _check_time(self) -> None:
        if self._max_seconds is not None and monotonic() >= self._begun + self._max_seconds:
            raise RetryableError(f"the fetch has taken more than max_seconds={self._max_seconds:g}")
