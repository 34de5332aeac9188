"""Sections of a snapshot: rows by number, of a state of the data that stays as it is.

The server tells by ``Link-Template: "…{&offset,limit}"; rel="section"`` (RFC 9652) how to ask for them. Any number
may be under way, nothing needs to be repeated, and reading may go on at any row, in another process too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import RatingsChangedError
from airflow_movielens.client.pagination.checks import (
    check_behind,
    check_complete,
    check_nothing_follows,
    check_same_state,
)
from airflow_movielens.client.rows import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.pagination.source import Source
    from airflow_movielens.client.rows import Bookmark, Page


class SectionPages:
    """The rest of a window, page after page of one snapshot.

    Args:
        source: Where the pages come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def batches(self, at: Bookmark) -> Iterator[Batch]:
        """Read on behind ``at``, whose ``total`` is known.

        Raises:
            RatingsChangedError: The snapshot is gone, or the pages do not belong together.
        """
        total = at.total or 0
        while at.count < total:
            for page in self._pages(at, total):
                check_same_state(page, at)
                check_behind(page.rows, at.last_good, self._source.table, page.exchange)
                if not page.rows.count:
                    raise RatingsChangedError(f"the API has no rows behind row {at.count} of {total}", page.exchange)
                at = at.behind(page.rows)
                check_complete(max(at.count, total), total, self._source.table, page.exchange)
                check_nothing_follows(page, at.count, self._source.table)
                yield Batch(page.rows, at, is_last=at.count == total)
                if page.rows.count < at.page_size and at.count < total:
                    at = replace(at, page_size=page.rows.count)
                    break

    def _pages(self, at: Bookmark, total: int) -> Iterator[Page]:
        offsets = range(at.count, total, at.page_size)
        return self._source.together(partial(self._source.section, at, offset) for offset in offsets)
