"""Sections of a snapshot: rows by number, from a state of the data that does not change.

The server offers them by ``Link-Template: "…{&offset,limit}"; rel="section"`` (RFC 9652). Any number of requests may be
in flight, no row is repeated, and reading can be resumed at any row, also in another process.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_movielens.client.concurrency import read_ahead
from airflow_movielens.client.errors import BadRowsError, Exchange, RatingsChangedError, RetryableError
from airflow_movielens.client.pagination.consistency import (
    check_after,
    check_complete,
    check_nothing_follows,
    check_same_state,
)
from airflow_movielens.client.pagination.page_sizes import Request
from airflow_movielens.client.rows import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.pagination.source import Source
    from airflow_movielens.client.rows import Bookmark, Page, Rows


class SectionPages:
    """The rest of a window, page after page of one snapshot.

    Args:
        source: Where the pages come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def batches(self, at: Bookmark) -> Iterator[Batch]:
        """Read the rows after ``at``, whose ``total`` is known.

        Raises:
            RatingsChangedError: The snapshot is gone, or the pages do not belong together.
        """
        total = at.total or 0
        while at.count < total:
            for request, page in self._pages(at, total):
                check_same_state(page, at)
                check_after(page.rows, at.last_good, self._source.table, page.exchange)
                if not page.rows.count:
                    raise RatingsChangedError(f"the API has no rows after row {at.count} of {total}", page.exchange)
                at = at.after(page.rows)
                check_complete(max(at.count, total), total, self._source.table, page.exchange)
                check_nothing_follows(page, at.count, self._source.table)
                self._source.page_sizes.learn(page, request.limit, at)
                yield Batch(page.rows, at, is_last=at.count == total)
                if at.count != request.following:
                    break

    def _pages(self, at: Bookmark, total: int) -> Iterator[tuple[Request, Page]]:
        return self._source.together(partial(self._page, at, request) for request in self._requests(at, total))

    def _page(self, at: Bookmark, request: Request) -> tuple[Request, Page]:
        return request, self._source.section(at, request.offset, request.limit)

    def _requests(self, at: Bookmark, total: int) -> Iterator[Request]:
        offset = at.count
        while offset < total:
            limit, rows = self._source.page_sizes.next()
            following = min(offset + rows, total)
            yield Request(offset, limit, following)
            offset = following


class SectionStream:
    """The rest of a window as one section of its snapshot, in a format that can be streamed.

    Args:
        source: Where the stream comes from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._open: Iterator[Rows] | None = None

    def batches(self, at: Bookmark) -> Iterator[Batch]:
        """Read the rows after ``at``, whose ``total`` is known.

        Raises:
            RatingsChangedError: The snapshot is gone, or the response is not the rest of it.
        """
        return read_ahead(at, self._fetch, self._check)

    def _check(self, rows: Rows, at: Bookmark) -> Batch:
        check_after(rows, at.last_good, self._source.table, self._exchange(at))
        after = at.after(rows)
        self._check_total(max(after.count, at.total or 0), at)
        return Batch(rows, after, is_last=after.count == at.total)

    def _fetch(self, at: Bookmark) -> Rows:
        """Read the next piece; if the stream broke off, request the rest after ``at`` again."""
        return self._source.api.retries.run(partial(self._read, at))

    def _read(self, at: Bookmark) -> Rows:
        try:
            return self._piece(at)
        except BadRowsError:
            if not self._source.quarantine:
                raise
        # One piece only, because the rows after it have not been read before.
        self._open = self._source.stream(at, quarantine=True)
        try:
            return self._piece(at)
        finally:
            self._open = None

    def _piece(self, at: Bookmark) -> Rows:
        is_new = self._open is None
        stream = self._open = self._open or self._source.stream(at)
        try:
            rows = next(stream, None)
            if rows is None and is_new:  # complete: the server has no more rows
                self._check_total(at.count, at)
            if rows is None:
                raise RetryableError(f"the API's stream ended at row {at.count} of {at.total}", self._exchange(at))
            if at.count + rows.count == at.total and (more := next(stream, None)) is not None:
                self._check_total(at.total + more.count, at)
        except Exception:
            self._open = None
            raise
        return rows

    def _check_total(self, count: int, at: Bookmark) -> None:
        check_complete(count, at.total, self._source.table, self._exchange(at))

    def _exchange(self, at: Bookmark) -> Exchange:
        return Exchange("GET", self._source.section_url(at, at.count))
