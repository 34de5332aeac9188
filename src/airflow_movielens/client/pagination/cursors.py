"""Pagination by cursor: each response links to the next page (``Link: <…>; rel="next"``, RFC 8288).

A server whose cursors lead through a snapshot sends one state of the data. The name of the snapshot, the total and the
order of the pages are compared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_movielens.client.concurrency import read_ahead
from airflow_movielens.client.errors import RatingsChangedError
from airflow_movielens.client.pagination.consistency import check_after, check_complete, check_same_state
from airflow_movielens.client.rows import Batch, without_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.pagination.source import Source
    from airflow_movielens.client.rows import Bookmark, Page


class CursorPages:
    """The rest of a window, from link to link.

    Args:
        source: Where the pages come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def batches(self, at: Bookmark) -> Iterator[Batch]:
        """Read the rows after ``at``.

        Raises:
            RatingsChangedError: The snapshot is gone, or the pages do not belong together.
        """
        return read_ahead(at, self._fetch, self._check)

    def _fetch(self, at: Bookmark) -> Page:
        return self._source.page_at(self._source.absolute(at.url or ""), at.page_size)

    def _check(self, page: Page, at: Bookmark) -> Batch:
        check_same_state(page, at)
        check_after(page.rows, at.last_good, self._source.table, page.exchange)
        url = without_host(page.next_url)
        after = replace(at.after(page.rows), url=url)
        if url is None:
            check_complete(after.count, at.total, self._source.table, page.exchange)
        elif not page.rows.count:
            raise RatingsChangedError("the API links from a page without rows to a next one", page.exchange)
        return Batch(page.rows, after, is_last=url is None)
