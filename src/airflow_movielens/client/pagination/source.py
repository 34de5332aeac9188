"""Requests for the pages and streams of a window, and what all reads of a client share."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode, urljoin

from airflow_movielens.client.concurrency import CongestionWindow, in_order
from airflow_movielens.client.errors import BadResponseError, BadRowsError, FatalError, RetryableError
from airflow_movielens.client.http.retries import Retries
from airflow_movielens.client.pagination.consistency import check_same_stream
from airflow_movielens.client.parsing import JSON, may_be_cut, read_page, stream_decoder
from airflow_movielens.client.settings import MIN_PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_movielens.client.http.transport import Transport
    from airflow_movielens.client.rows import Bookmark, Page, Rows
    from airflow_movielens.client.settings import ClientSettings, ReadOptions
    from airflow_movielens.client.window import Window
    from airflow_movielens.ratings.schema import Table

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"(?<!\d)(?<!\d\.)\d{1,7}(?!\.?\d)", re.ASCII)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)", re.ASCII)
_COMMON_MAXIMUM = 100
_MAX_TRIES = 3
_REFUSED_PAGE = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
_DECODING = BoundedSemaphore(os.cpu_count() or 1)
"""Decoding more pages at once takes more memory, but not less time."""

_T = TypeVar("_T")


class PageLimit:
    """The page sizes that an API is known to accept. Safe to use from several threads."""

    def __init__(self) -> None:
        self._accepted = 0
        self._maximum: int | None = None

    def clamp(self, limit: int) -> int:
        """Return a limit lowered to the largest that the API accepts, if that is known."""
        return limit if self._maximum is None else min(limit, self._maximum)

    def accept(self, limit: int) -> None:
        """Record a limit that the API accepted."""
        self._accepted = max(self._accepted, limit)

    def lower(self, refused: int, accepted: int) -> None:
        """Record a limit that the API accepted in place of a larger one that it refused."""
        if self._maximum != accepted:
            log.warning("The API refuses limit=%s: reading pages of %s rows instead", refused, accepted)
        self._maximum = accepted
        self.accept(accepted)

    def smaller(self, refused: int, server_said: str) -> Iterable[int]:
        """Return limits to try instead of a refused one: the numbers in the server's message, and a common maximum.

        Args:
            refused: The limit of the request that the API refused.
            server_said: Its message, which often names its maximum.

        Returns:
            At most three, largest first; none if the API accepted such a limit before, so the limit is not the reason.
        """
        if refused <= self._accepted:
            return ()
        message = _THOUSANDS.sub("", server_said)
        stated = {int(number) for number in _NUMBER.findall(message)} | {_COMMON_MAXIMUM}
        return sorted((number for number in stated if MIN_PAGE_SIZE <= number < refused), reverse=True)[:_MAX_TRIES]


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
        page_size: Rows per request.
        accept: The formats to request, as in the header ``Accept``.
        quarantine: Whether rows that break the contract, even after a second read, are set aside without an error.
    """

    api: Api
    table: Table
    window: Window
    page_size: int
    accept: str
    quarantine: bool = False

    @classmethod
    def of(cls, api: Api, table: Table, options: ReadOptions, accept: str) -> Source:
        """Return the source for the options of a read."""
        is_quarantine = options.on_bad_rows == "quarantine"
        return cls(api, table, options.window, options.page_size, accept, is_quarantine)

    def page(self, offset: int, limit: int) -> Page:
        """Get a page of the window by offset and limit; a smaller page if the API refuses such a limit.

        Raises:
            MovielensError: The page cannot be read; see the subclasses.
        """
        limit = self.api.page_limit.clamp(limit)
        try:
            page = self.api.retries.run(partial(self._read_page, self._page_url(offset, limit), limit))
        except FatalError as error:
            if not _is_refused_page(error):
                raise
            smaller_page = self._smaller_page(offset, limit, error.exchange.server_said if error.exchange else "")
            if smaller_page is None:
                advice = "if the page size is too large for it, lower page_size (connection) or batch_size (argument)"
                raise FatalError(f"{error.args[0]} for limit={limit}; {advice}", error.exchange) from error
            return smaller_page
        self.api.page_limit.accept(limit)
        return page

    def _smaller_page(self, offset: int, limit: int, server_said: str) -> Page | None:
        for smaller in self.api.page_limit.smaller(limit, server_said):
            try:
                page = self.page_at(self._page_url(offset, smaller), smaller)
            except FatalError as error:
                if not _is_refused_page(error):
                    raise
                continue
            self.api.page_limit.lower(limit, smaller)
            return page
        return None

    def _page_url(self, offset: int, limit: int) -> str:
        query = {**self.window.query(), "offset": offset, "limit": limit}
        return f"{self.api.settings.base_url}/{self.table.name}?{urlencode(query)}"

    def section(self, at: Bookmark, offset: int) -> Page:
        """Get a page of a bookmark's snapshot."""
        return self.page_at(f"{self.section_url(at, offset)}&limit={at.page_size}", at.page_size)

    def page_at(self, url: str, rows: int) -> Page:
        """Get the page at a URL that requests at most so many rows, with retries.

        Raises:
            MovielensError: The page cannot be read; see the subclasses.
        """
        return self.api.retries.run(partial(self._read_page, url, rows))

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
                    return replace(page, rows=self._without_secrets(page.rows))
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
