"""Requests for the pages and streams of a window, and what all reads of a client share."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from http import HTTPStatus
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode, urljoin

from airflow_movielens.client.concurrency import CongestionWindow, in_order
from airflow_movielens.client.errors import BadResponseError, BadRowsError, FatalError, RetryableError
from airflow_movielens.client.http.retries import Retries
from airflow_movielens.client.pagination.consistency import check_same_stream
from airflow_movielens.client.pagination.page_sizes import PageLimit, PageSizes
from airflow_movielens.client.parsing import JSON, may_be_cut, read_page, stream_decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_movielens.client.http.transport import Transport
    from airflow_movielens.client.rows import Bookmark, Page, Rows
    from airflow_movielens.client.settings import ClientSettings, ReadOptions
    from airflow_movielens.client.window import Window
    from airflow_movielens.ratings.schema import Table

log = logging.getLogger(__name__)

_REFUSED_PAGE = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
_DECODING = BoundedSemaphore(os.cpu_count() or 1)
"""Decoding more pages at once takes more memory, but not less time."""

_T = TypeVar("_T")


class Repeats:
    """A counter of the requests that were sent again after an error, by any thread.

    Attributes:
        number: How many there were.
    """

    def __init__(self) -> None:
        self.number = 0
        self._lock = Lock()

    def count(self) -> None:
        """Count one more."""
        with self._lock:
            self.number += 1


def _is_refused_page(error: FatalError) -> bool:
    """Return whether the API refuses the request of a page, perhaps because of its size."""
    return error.exchange is not None and error.exchange.status in _REFUSED_PAGE


@dataclass(frozen=True)
class Api:
    """A ratings API, with what all reads of a client share.

    Attributes:
        settings: How the API is reached.
        transport: Sends requests.
        congestion: How many requests may be in flight; successes and overloads are recorded there.
        page_limit: The page sizes that the API accepts; they are recorded there.
        repeats: Counts the requests that are sent again.
    """

    settings: ClientSettings
    transport: Transport
    congestion: CongestionWindow
    page_limit: PageLimit = field(default_factory=PageLimit)
    repeats: Repeats = field(default_factory=Repeats)

    def branch(self) -> Api:
        """Return the same API, whose requests can be aborted without those of other branches."""
        return replace(self, transport=self.transport.branch())

    @property
    def retries(self) -> Retries:
        """The retries of requests for rows; overloads of the server lower the number of requests in flight."""
        return Retries(self.settings.retries, self.transport.rate_limit, self._on_retry)

    def close(self) -> None:
        """Cut off the requests in flight, and send no more."""
        self.transport.abort()

    def _on_retry(self, error: RetryableError) -> None:
        self.repeats.count()
        if not isinstance(error, BadResponseError):
            self.congestion.on_overload()


@dataclass(frozen=True)
class Source:
    """A table of a server, for one window.

    Attributes:
        api: The API, in a branch of its own.
        table: The table of the rows.
        window: The days to read.
        page_sizes: How many rows the requests of this read ask for.
        accept: The formats to request, as in the header ``Accept``.
        quarantine: Whether rows that break the contract, even after a second read, are set aside without an error.
    """

    api: Api
    table: Table
    window: Window
    page_sizes: PageSizes
    accept: str
    quarantine: bool = False

    @classmethod
    def of(cls, api: Api, table: Table, options: ReadOptions, accept: str) -> Source:
        """Return the source for the options of a read."""
        is_quarantine = options.on_bad_rows == "quarantine"
        page_sizes = PageSizes(options.page_size, api.page_limit, api.transport.tuning)
        return cls(api, table, options.window, page_sizes, accept, is_quarantine)

    def page(self, offset: int, limit: int) -> Page:
        """Get a page of the window by offset and limit; a smaller page if the API refuses such a limit or fails.

        Raises:
            MovielensError: The page cannot be read; see the subclasses.
        """
        return self._sized_page(partial(self.page_url, offset), limit)

    def section(self, at: Bookmark, offset: int, limit: int) -> Page:
        """Get a page of a bookmark's snapshot; otherwise as `page`."""
        url = self.section_url(at, offset)
        return self._sized_page(lambda rows: f"{url}&limit={rows}", limit)

    def _sized_page(self, url_of: Callable[[int], str], limit: int) -> Page:
        limit = self.api.page_limit.clamp(limit)
        try:
            page = self._repeated(url_of, limit)
        except FatalError as error:
            has_grown = not self.page_sizes.are_given and self.api.page_limit.has_grown(limit)
            if not has_grown and not _is_refused_page(error):
                raise
            smaller_page = self._smaller_page(url_of, limit, error.exchange.server_said if error.exchange else "")
            if smaller_page is None:
                advice = "if the page size is too large for it, lower page_size (connection) or batch_size (argument)"
                raise FatalError(f"{error.args[0]} for limit={limit}; {advice}", error.exchange) from error
            return smaller_page
        self.api.page_limit.accept(page.limit)
        return page

    def _repeated(self, url_of: Callable[[int], str], limit: int) -> Page:
        def read() -> Page:
            nonlocal limit
            try:
                return self._read_page(url_of(limit), limit)
            except RetryableError as error:
                limit = self.page_sizes.after_failure(limit, error)
                raise

        return self.api.retries.run(read)

    def _smaller_page(self, url_of: Callable[[int], str], limit: int, server_said: str) -> Page | None:
        for smaller in self.api.page_limit.smaller(limit, server_said):
            try:
                page = self.page_at(url_of(smaller), smaller)
            except FatalError as error:
                if not _is_refused_page(error):
                    raise
                continue
            if self.api.page_limit.lower(smaller):
                level = logging.WARNING if self.page_sizes.are_given else logging.INFO
                log.log(level, "The API refuses limit=%s: reading pages of %s rows instead", limit, smaller)
            return page
        return None

    def page_at(self, url: str, rows: int) -> Page:
        """Get the page at a URL that requests at most so many rows, with retries.

        Raises:
            MovielensError: The page cannot be read; see the subclasses.
        """
        return self.api.retries.run(partial(self._read_page, url, rows))

    def page_url(self, offset: int, limit: int) -> str:
        """Return the URL of a page of the window by offset and limit."""
        return f"{self._window_url}offset={offset}&limit={limit}"

    @cached_property
    def _window_url(self) -> str:
        query = urlencode(self.window.query())
        return f"{self.api.settings.base_url}/{self.table.name}?{query}{'&' if query else ''}"

    def _read_page(self, url: str, rows: int, *, quarantine: bool = False) -> Page:
        transport = self.api.transport
        with transport.hiding_secrets():
            response = transport.get(url, self.accept, rows)
            if may_be_cut(response):
                response = transport.get(url, JSON, rows)
            self.api.congestion.on_success()
            try:
                with _DECODING:
                    tuning = transport.tuning
                    page = read_page(response, self.table, self.window, quarantine=quarantine, tuning=tuning)
                    transport.refuse_secrets(page, response)
                    checked = self._without_secrets(page.rows)
                    return replace(page, rows=checked, limit=rows, seconds=response.seconds)
            except BadRowsError:
                if quarantine or not self.quarantine:
                    raise
        return self._read_page(url, rows, quarantine=True)

    def stream(self, at: Bookmark, *, quarantine: bool = False) -> Iterator[Rows]:
        """Stream the rest of a snapshot's window after ``at``, with one request.

        Rows that arrive before the stream breaks off are yielded too.

        Raises:
            MovielensError: See its subclasses; a `RetryableError` if the stream breaks off.
        """
        transport = self.api.transport
        with transport.hiding_secrets(), transport.stream(self.section_url(at, at.count), self.accept) as response:
            check_same_stream(response, at)
            decoder = stream_decoder(
                response.media_type,
                response.exchange,
                self.table,
                self.window,
                quarantine=quarantine,
                tuning=transport.tuning,
            )
            if decoder is None:
                message = f"the API streams {response.media_type!r}, which was not requested"
                raise BadResponseError(message, response.exchange)
            try:
                for chunk in response.chunks():
                    yield from map(self._without_secrets, decoder.feed(chunk))
            except RetryableError as error:
                if not isinstance(error, BadResponseError):
                    yield from map(self._without_secrets, decoder.whole_rows())
                raise
            yield from map(self._without_secrets, decoder.finish())

    def _without_secrets(self, rows: Rows) -> Rows:
        if not rows.bad:
            return rows
        transport = self.api.transport
        # The last row is kept in the checkpoint, and compared with the first one of the next page.
        first, last = transport.hide_in(rows.first), transport.hide_in(rows.last)
        return replace(rows, bad=tuple(map(transport.without_secrets, rows.bad)), first=first, last=last)

    def section_url(self, at: Bookmark, offset: int) -> str:
        """Return the URL of the rows of a bookmark's snapshot, from ``offset`` to the end of the window."""
        return f"{self.absolute(at.url or '')}&offset={offset}"

    def absolute(self, url: str) -> str:
        """Return the absolute URL of a bookmark's URL, always on the configured host."""
        return urljoin(self.api.settings.base_url, url)

    def together(self, calls: Iterable[Callable[[], _T]]) -> Iterator[_T]:
        """Run calls concurrently, and yield their results in order."""
        return in_order(calls, self.api.congestion)

    def close(self) -> None:
        """Cut off the requests in flight, and send no more."""
        self.api.close()
