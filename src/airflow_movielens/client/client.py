"""The client of a ratings API."""

from __future__ import annotations

import asyncio
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from airflow_movielens.client.concurrency import CongestionWindow
from airflow_movielens.client.counting import first_accepted, parts
from airflow_movielens.client.errors import DataError
from airflow_movielens.client.http.retries import with_retries
from airflow_movielens.client.http.transport import Sender, Transport
from airflow_movielens.client.pagination.detect import read_window, resume_window
from airflow_movielens.client.pagination.source import PageLimit, Source
from airflow_movielens.client.pagination.verify_window import proven, some_good
from airflow_movielens.client.parsing import ACCEPT, accept_of, read_total
from airflow_movielens.client.read_options import ReadOptions
from airflow_movielens.client.settings import ClientSettings
from airflow_movielens.client.time_zone import ServerCalendar
from airflow_movielens.client.window import Window
from airflow_movielens.ratings.schema import MOVIES, RATINGS, USERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator
    from datetime import date

    import polars as pl
    from requests import Session

    from airflow_movielens.client.http.custom import CustomTransport
    from airflow_movielens.client.read_options import OnBadRows
    from airflow_movielens.client.rows import Batch, Bookmark
    from airflow_movielens.ratings.schema import Table


class MovielensClient:
    """Read ratings, movies and users from a ratings API.

    Usable as a context manager; otherwise call `close`.

    Args:
        base_url: Scheme, host, port and path prefix, such as ``http://localhost:5000``.
        user: User for HTTP Basic authentication; None for none.
        password: Its password.
        token: Bearer token, sent instead of user and password.
        transport: Function that responds to requests instead of the API, for tests: it takes the URL and headers of a
            GET request, and returns the status, headers and body of a response. None to send requests to the API.
        **settings: Further attributes of `ClientSettings`.

    Raises:
        FatalError: A setting is out of range, or the URL is unusable.
    """

    def __init__(
        self,
        base_url: str,
        user: str | None = None,
        password: str | None = None,
        token: str | None = None,
        *,
        transport: CustomTransport | None = None,
        **settings: Any,
    ) -> None:
        self.settings = ClientSettings(base_url.rstrip("/"), user, password, token, **settings)
        self._transport = Transport(self.settings, sender=Sender(self.settings, transport))
        self.session: Session = self._transport.session
        self._congestion = CongestionWindow(self.settings.concurrency)
        self._page_limit = PageLimit()
        zone = self.settings.time_zone
        self._calendar = None if zone is None else ServerCalendar(zone)

    def get_ratings(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the ratings of a window one by one, lazily.

        Args:
            start_date: First UTC day (``YYYY-MM-DD`` or a date); None for no start.
            end_date: First UTC day after the window; None for no end.
            batch_size: Rows per request, at least 1 (1 becomes 2, because pages by offset overlap by one row); None for
                the page size of the settings.

        Yields:
            ``{"userId", "movieId", "rating", "timestamp"}``, in the order of timestamp, userId, movieId.

        Raises:
            MovielensError: See its subclasses. `RatingsChangedError` may be raised after rows were yielded: these are a
                mix of two states of the data and must be discarded. So may `DataError`, because whether the server's
                days are UTC days is verified at the end.
        """
        for frame in self.get_rating_frames(start_date, end_date, batch_size):
            yield from frame.iter_rows(named=True)

    def get_rating_frames(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Yield the ratings of a window as dataframes, lazily; arguments and errors as for `get_ratings`.

        Yields:
            Dataframes of userId Int32, movieId Int32, rating Float32, timestamp Int64, none of them empty.
        """
        batches = self.read_batches(start_date, end_date, batch_size)
        return (batch.rows.good for batch in batches if len(batch.rows.good))

    def read_batches(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
        *,
        bookmark: Bookmark | None = None,
        on_bad_rows: OnBadRows = "fail",
    ) -> Iterator[Batch]:
        """Read the ratings of a window in batches, each with a bookmark from which reading can be resumed.

        Args:
            start_date: As for `get_ratings`.
            end_date: As for `get_ratings`.
            batch_size: As for `get_ratings`.
            bookmark: The bookmark of an earlier batch of the same window, to resume after it; None to begin.
            on_bad_rows: How to handle rows that break the contract, even if they are read again: ``fail`` raises,
                ``quarantine`` sets them aside in `Rows.bad`.

        Yields:
            Batches; the last one says that the window is complete, and may have no rows.

        Raises:
            RatingsChangedError: The data changed meanwhile, or since the bookmark: discard the batches before.
            DataError: Rows break the contract, or the server's days are not the requested days.
            FatalError: A bound, the batch size or ``on_bad_rows`` is unusable.
            MovielensError: See its other subclasses.
        """
        return self.read(self._options(Window.of(start_date, end_date), batch_size, on_bad_rows), bookmark)

    def read(self, options: ReadOptions, bookmark: Bookmark | None = None) -> Iterator[Batch]:
        """Read ratings in batches as `read_batches` does, with options that are already checked."""
        window = options.window
        # A resumed read continues in the format of its bookmark.
        accept = accept_of(bookmark.media_type) if bookmark else ACCEPT[self.settings.data_format]
        asked = window if self._calendar is None else self._calendar.covering(window)
        source = self._source(RATINGS, replace(options, window=asked), accept)
        read = read_window(source) if bookmark is None else resume_window(source, bookmark)
        batches = some_good(proven(read, source, window), window)
        if asked != window:
            batches = (batch.between(*window.timestamps()) for batch in batches)
        return _aborting(source, batches)

    async def aget_rating_frames(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> AsyncIterator[pl.DataFrame]:
        """Read as `get_rating_frames` does, without blocking the event loop: the work is done in threads."""
        with self._abortable() as client:
            frames = client.get_rating_frames(start_date, end_date, batch_size)
            while (frame := await asyncio.to_thread(next, frames, None)) is not None:
                yield frame

    async def aget_ratings(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Read as `get_ratings` does, without blocking the event loop."""
        async for frame in self.aget_rating_frames(start_date, end_date, batch_size):
            for row in frame.iter_rows(named=True):
                yield row

    def get_movies(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield all movies, lazily: ``{"movieId", "title", "year", "genres"}`` in the order of movieId."""
        for frame in self.get_movie_frames(batch_size):
            yield from frame.iter_rows(named=True)

    def get_movie_frames(self, batch_size: int | None = None) -> Iterator[pl.DataFrame]:
        """Yield all movies as dataframes of movieId Int32, title String, year Int32, genres String, one per page."""
        return self._frames(MOVIES, batch_size)

    def get_users(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield all users, lazily: ``{"userId", "num_ratings"}`` in the order of userId."""
        for frame in self._frames(USERS, batch_size):
            yield from frame.iter_rows(named=True)

    def count_ratings(
        self, start_date: str | date | None = None, end_date: str | date | None = None, *, enough: int | None = None
    ) -> int:
        """Count the ratings of a window, with one request for no rows if the server returns a total.

        Rows are read if the server cannot count them: at the edges of a window if ``time_zone`` is set, and all of them
        if it returns no total.

        Args:
            start_date: As for `get_ratings`.
            end_date: As for `get_ratings`.
            enough: Stop counting rows at this number; None to count all of them.

        Raises:
            MovielensError: See its subclasses; `DataError` if the server returns no total for a window with an open
                side, which may be all of its ratings.
        """
        window = Window.of(start_date, end_date)
        if self._calendar is None:
            return self._count(window, window, enough)
        inside, edges = parts(window, self._calendar)
        count = 0 if inside is None else self._count(inside, window, enough)
        return sum((self._count_read(edge, window, enough) for edge in edges), start=count)

    async def acount_ratings(
        self, start_date: str | date | None = None, end_date: str | date | None = None, *, enough: int | None = None
    ) -> int:
        """Count as `count_ratings` does, without blocking the event loop."""
        with self._abortable() as client:
            return await asyncio.to_thread(client.count_ratings, start_date, end_date, enough=enough)

    def close(self) -> None:
        """Close the connections, and cut the requests in flight."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _abortable(self) -> Iterator[Self]:
        """Yield a client on the same connections whose requests are cut at the end: threads cannot be cancelled."""
        client = copy(self)
        client._transport = self._transport.branch()
        try:
            yield client
        finally:
            client._transport.abort()

    def _count(self, days: Window, window: Window, enough: int | None) -> int:
        total = first_accepted(partial(self._total, days), self.settings.page_size)
        if total is not None:
            return total
        if enough is None and (days.start is None or days.end is None):
            raise DataError(
                'the API\'s response has no "total", so ratings of a window with an open side are not counted'
            )
        return self._count_read(days, window, enough)

    def _total(self, days: Window, limit: int) -> int | None:
        query = urlencode({**days.query(), "offset": 0, "limit": limit})

        def request() -> int | None:
            response = self._transport.get(f"{self.settings.base_url}/{RATINGS.name}?{query}", ACCEPT["json"])
            with self._transport.hiding_secrets():
                return read_total(response)

        return with_retries(request, self.settings.retries, self._transport.rate_limit)

    def _count_read(self, days: Window, window: Window, enough: int | None) -> int:
        source = self._source(RATINGS, self._options(days, None, "quarantine"), ACCEPT["json"])
        count = 0
        with closing(_aborting(source, read_window(source))) as batches:
            for batch in batches:
                count += len(batch.between(*window.timestamps()).rows.good)
                if enough is not None and count >= enough:
                    break
        return count

    def _frames(self, table: Table, batch_size: int | None) -> Iterator[pl.DataFrame]:
        source = self._source(table, self._options(Window(), batch_size), ACCEPT["json"])
        batches = _aborting(source, read_window(source))
        return (batch.rows.good for batch in batches if len(batch.rows.good))

    def _options(self, window: Window, batch_size: int | None, on_bad_rows: OnBadRows = "fail") -> ReadOptions:
        return ReadOptions(window, self.settings.page_size if batch_size is None else batch_size, on_bad_rows)

    def _source(self, table: Table, options: ReadOptions, accept: str) -> Source:
        return Source(
            self._transport.branch(),
            self.settings.base_url,
            self.settings.retries,
            self._congestion,
            self._page_limit,
            table,
            options.window,
            options.page_size,
            accept,
            options.on_bad_rows == "quarantine",
        )


def _aborting(source: Source, batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """Yield the batches; when the generator is closed, cut its requests in flight."""
    try:
        yield from batches
    finally:
        source.transport.abort()
