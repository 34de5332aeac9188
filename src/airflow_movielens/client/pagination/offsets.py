"""Pagination by offset and limit that detects changes of the data between two pages.

Each page begins with the last row of the page before. If rows were inserted or deleted before that point, the
repeated row differs; otherwise ``total`` differs. A server may clamp ``limit``, so a short page is not the end: the end
is reached when a page has only the repeated row, and ``total`` must agree.

The offsets are known in advance, so many pages are in flight. After a page with more or fewer rows than expected, they
are computed again.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError, RatingsChangedError
from airflow_movielens.client.pagination.consistency import (
    check_after,
    check_complete,
    check_repeated,
    check_same_state,
)
from airflow_movielens.client.pagination.page_sizes import Request
from airflow_movielens.client.rows import Batch, without_first

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
            for request, page in self._pages(at):
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
                self._source.page_sizes.learn(page, request.limit, at)
                yield Batch(new, at)
                if at.count - 1 != request.following:
                    break

    def _pages(self, at: Bookmark) -> Iterator[tuple[Request, Page]]:
        return self._source.together(partial(self._page, request) for request in self._requests(at))

    def _page(self, request: Request) -> tuple[Request, Page]:
        return request, self._source.page(request.offset, request.limit)

    def _requests(self, at: Bookmark) -> Iterator[Request]:
        begin = offset = max(at.count - 1, 0)
        last = math.inf if at.total is None else max(at.total - 1, begin)
        while offset < last:
            limit, rows = self._source.page_sizes.next()
            following = int(min(offset + max(rows - 1, 1), last))
            yield Request(offset, limit, following)
            offset = following
        # The last page requests rows after the end, and so proves the end.
        yield Request(offset, self._source.page_sizes.first, offset)

    def _check_end(self, at: Bookmark, page: Page) -> None:
        check_complete(at.count, at.total, self._source.table, page.exchange)
        # A limit clamped to one row also looks like the end, and a total may be that of the page.
        if at.total is None or at.count == 1:
            self._check_nothing_at(at.count)

    def _check_nothing_at(self, offset: int) -> None:
        # A refusal says that nothing is there, and not that the page is too large.
        limit = self._source.page_sizes.first
        try:
            beyond = self._source.page_at(self._source.page_url(offset, limit), limit)
        except FatalError as error:
            if error.exchange and error.exchange.status in _AFTER_THE_END:
                return
            raise
        if beyond.rows.count:
            message = f"the API has more {self._source.table.name} after the apparent end, at row {offset}"
            raise RatingsChangedError(message, beyond.exchange)
