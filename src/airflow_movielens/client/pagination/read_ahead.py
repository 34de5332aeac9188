"""Pieces that can only be asked for one after the other: the next comes while somebody works on the one before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_movielens.client.pagination.in_flight import begin, result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_movielens.client.rows import Batch, Bookmark

_T = TypeVar("_T")


def read_ahead(
    at: Bookmark, fetch: Callable[[Bookmark], _T], check: Callable[[_T, Bookmark], Batch]
) -> Iterator[Batch]:
    """Fetch piece after piece, each behind the one before, until a batch says that it is the last.

    Args:
        at: Where to begin.
        fetch: Gets what lies behind a bookmark; runs in a thread.
        check: Makes it a batch, if it belongs behind that bookmark.
    """
    coming = begin(partial(fetch, at))
    try:
        while True:
            batch = check(result_of(coming), at)
            at = batch.bookmark
            if not batch.is_last:
                coming = begin(partial(fetch, at))
            yield batch
            if batch.is_last:
                return
    finally:
        coming.cancel()
