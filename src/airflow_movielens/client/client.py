"""The client of a ratings API."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from airflow_movielens.client.concurrency import CongestionWindow
from airflow_movielens.client.counting import count_ratings
from airflow_movielens.client.http.transport import Transport
from airflow_movielens.client.pagination.detect import read_window
from airflow_movielens.client.pagination.source import Api, Source
from airflow_movielens.client.pagination.verify_window import read_verified
from airflow_movielens.client.parsing import ACCEPT, accept_of
from airflow_movielens.client.secret import Secret
from airflow_movielens.client.settings import DEFAULT_TUNING, ClientSettings, ReadOptions
from airflow_movielens.client.window import ServerCalendar, Window
from airflow_movielens.ratings.schema import MOVIES, RATINGS, USERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator
    from datetime import date

    import polars as pl
    from requests import Session

    from airflow_movielens.client.http.rate_limit import Clock
    from airflow_movielens.client.http.transport import CustomTransport
    from airflow_movielens.client.rows import Batch, Bookmark
    from airflow_movielens.client.settings import OnBadRows, Tuning
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
        tuning: Sizes at which responses are read and parts of a fetch are written; None for the defaults.
        clock: Source of time for the waits of retries and the rate limit; None for the system's.
        **settings: Further attributes of `ClientSettings`.

    Raises:
        FatalError: A setting is out of range, or the URL is unusable.
    """

    def __init__(
        self,
        base_url: str,
        user: str | None = None,
        password: str | Secret | None = None,
        token: str | Secret | None = None,
        *,
        transport: CustomTransport | None = None,
        tuning: Tuning | None = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        # A traceback with local variables does not show them.
        password, token = Secret.of(password), Secret.of(token)
        self.settings = ClientSettings(base_url.rstrip("/"), user, password, token, **settings)
        self.tuning = tuning or DEFAULT_TUNING
        self._transport = Transport(self.settings, clock=clock, tuning=self.tuning, custom=transport)
        self._api = Api(self.settings, self._transport, CongestionWindow(self.settings.concurrency))
        self.session: Session = self._transport.session
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
        for batch in self.read_batches(start_date, end_date, batch_size):
            yield from batch.rows.good.iter_rows(named=True)

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
        return (batch.rows.good for batch in batches if len(batch.rows.checked))

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
            on_bad_rows: How to handle rows that break the contract, even after a second read: ``fail`` raises,
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
        api = self._api.branch()
        batches = self._read(api, options, bookmark)
        return batches if options.limits is None else options.limits.apply(batches, api.close)

    async def aget_rating_frames(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> AsyncIterator[pl.DataFrame]:
        """Read as `get_rating_frames` does, without blocking the event loop: the work is done in threads."""
        # A thread cannot be cancelled, but its requests can be cut off.
        with closing(self._api.branch()) as api:
            batches = self._read(api, self._options(Window.of(start_date, end_date), batch_size))
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                if len(batch.rows.checked):
                    yield batch.rows.good

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
        return self._count(self._api, Window.of(start_date, end_date), enough)

    async def acount_ratings(
        self, start_date: str | date | None = None, end_date: str | date | None = None, *, enough: int | None = None
    ) -> int:
        """Count as `count_ratings` does, without blocking the event loop."""
        with closing(self._api.branch()) as api:
            return await asyncio.to_thread(self._count, api, Window.of(start_date, end_date), enough)

    @property
    def requests_repeated(self) -> int:
        """How many requests for rows this client has sent again after an error."""
        return self._api.repeats.number

    def close(self) -> None:
        """Close the connections, and cut off the requests in flight."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, api: Api, options: ReadOptions, bookmark: Bookmark | None = None) -> Generator[Batch, None, None]:
        window = options.window
        days = window if self._calendar is None else self._calendar.covering(window)
        # A resumed read continues in the format of its bookmark.
        accept = accept_of(bookmark.media_type) if bookmark else ACCEPT[self.settings.data_format]
        return read_verified(Source.of(api, RATINGS, replace(options, window=days), accept), window, bookmark)

    def _count(self, api: Api, window: Window, enough: int | None) -> int:
        return count_ratings(api, window, self._calendar, enough)

    def _frames(self, table: Table, batch_size: int | None) -> Iterator[pl.DataFrame]:
        source = Source.of(self._api.branch(), table, self._options(Window(), batch_size), ACCEPT["json"])
        return (batch.rows.good for batch in read_window(source) if len(batch.rows.checked))

    def _options(self, window: Window, batch_size: int | None, on_bad_rows: OnBadRows = "fail") -> ReadOptions:
        return ReadOptions(window, self.settings.page_size if batch_size is None else batch_size, on_bad_rows)
