"""Pagination by offset and limit that detects changes of the data between two pages.

Each page begins with the last row of the page before. If rows were inserted or deleted before that point, the
repeated row differs; otherwise ``total`` differs. A server may clamp ``limit``, so a short page is not the end: the end
is reached when a page has only the repeated row, and ``total`` must agree.

The offsets are known in advance, so many pages are in flight; after a short page, they are computed again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import chain, count, takewhile
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError, RatingsChangedError
from airflow_movielens.client.pagination.consistency import (
    check_after,
    check_complete,
    check_repeated,
    check_same_state,
)
from airflow_movielens.client.rows import Batch, without_first
from airflow_movielens.client.settings import MIN_PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.pagination.source import Source
    from airflow_movielens.client.rows import Bookmark, Page

_AFTER_THE_END = {204, 400, 404, 416, 422}
"""The statuses that some servers return instead of an empty page after the end."""


class OffsetPages:
    """The rest of a window, page after page by offset and limit.

    Args:
        source: Where the pages come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def batches(self, at: Bookmark) -> Iterator[Batch]:
        """Read the rows after ``at``.

        Raises:
            RatingsChangedError: The pages do not belong to one state of the data.
        """
        while True:
            for page in self._pages(at):
                check_same_state(page, at)
                check_repeated(page, at.last)
                new = without_first(page.rows)
                if not new.count:
                    self._check_end(at, page)
                    yield Batch(new, at, is_last=True)
                    return
                check_after(new, at.last_good, self._source.table, page.exchange)
                at = at.after(new)
                if at.total is not None and at.count > at.total:
                    check_complete(at.count, at.total, self._source.table, page.exchange)
                yield Batch(new, at)
                if page.rows.count != at.page_size and at.count != at.total:
                    at = replace(at, page_size=max(page.rows.count, MIN_PAGE_SIZE))
                    break

    def _pages(self, at: Bookmark) -> Iterator[Page]:
        begin = max(at.count - 1, 0)
        offsets: Iterator[int] = count(begin, at.page_size - 1)
        if at.total is not None:
            # The last page requests rows after the end, and so proves the end.
            last = max(at.total - 1, begin)
            offsets = chain(takewhile(lambda offset: offset < last, offsets), [last])
        # The server may send shorter pages, but may also refuse such a small limit.
        limit = self._source.page_size
        return self._source.together(partial(self._source.page, offset, limit) for offset in offsets)

    def _check_end(self, at: Bookmark, page: Page) -> None:
        check_complete(at.count, at.total, self._source.table, page.exchange)
        # A limit clamped to one row also looks like the end, and a total may be that of the page.
        if at.total is None or at.count == 1:
            self._check_nothing_at(at.count)

    def _check_nothing_at(self, offset: int) -> None:
        try:
            beyond = self._source.page(offset, self._source.page_size)
        except FatalError as error:
            if error.exchange and error.exchange.status in _AFTER_THE_END:
                return
            raise
        if beyond.rows.count:
            message = f"the API has more {self._source.table.name} after the apparent end, at row {offset}"
            raise RatingsChangedError(message, beyond.exchange)
