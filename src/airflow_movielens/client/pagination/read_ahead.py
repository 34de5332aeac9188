"""Pieces that can only be asked for one after the other: the next comes while somebody works on the one before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_movielens.client.pagination.in_flight import InFlight
    from airflow_movielens.client.rows import Batch, Bookmark

_T = TypeVar("_T")


def read_ahead(
    in_flight: InFlight, at: Bookmark, fetch: Callable[[Bookmark], _T], check: Callable[[_T, Bookmark], Batch]
) -> Iterator[Batch]:
    """Fetch piece after piece, each behind the one before, until a batch says that it is the last.

    Args:
        in_flight: Runs ``fetch`` in a thread.
        at: Where to begin.
        fetch: Gets what lies behind a bookmark.
        check: Makes it a batch, if it belongs behind that bookmark.
    """
    coming = in_flight.begin(partial(fetch, at))
    try:
        while True:
            batch = check(coming.result(), at)
            at = batch.bookmark
            if not batch.is_last:
                coming = in_flight.begin(partial(fetch, at))
            yield batch
            if batch.is_last:
                return
    finally:
        coming.cancel()
