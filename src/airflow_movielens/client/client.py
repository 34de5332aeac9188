"""The client of a ratings API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from airflow_movielens.client.decoding.envelope import read_page, read_total
from airflow_movielens.client.errors import BadAnswerError, RatingsChangedError
from airflow_movielens.client.http.retries import with_retries
from airflow_movielens.client.http.session import build_session, get_json
from airflow_movielens.client.pagination.offsets import read_by_offset
from airflow_movielens.client.rows import Batch, Bookmark, Rows
from airflow_movielens.client.settings import ClientSettings, checked_page_size
from airflow_movielens.client.window import Window
from airflow_movielens.ratings.schema import MOVIES, RATINGS, USERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import polars as pl
    from requests import Session

    from airflow_movielens.client.decoding.envelope import Page
    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.ratings.schema import Table


class MovielensClient:
    """Reads ratings, movies and users from a ratings API.

    Usable as a context manager; otherwise call `close`.

    Args:
        base_url: Scheme, host, port and path prefix, such as ``http://localhost:5000``.
        user: User for HTTP Basic authentication; None for none.
        password: Its password.
        token: Bearer token, sent instead of user and password.
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
        **settings: Any,
    ) -> None:
        self.settings = ClientSettings(base_url.rstrip("/"), user, password, token, **settings)
        self.session: Session = build_session(self.settings)

    def get_ratings(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Read the ratings of a window, one by one and lazily.

        Args:
            start_date: First UTC day (``YYYY-MM-DD`` or a date); None for the first there is.
            end_date: First UTC day no longer wanted; None for no end.
            batch_size: Rows to ask for in one request; None for the settings' page size.

        Yields:
            ``{"userId", "movieId", "rating", "timestamp"}``, in the order of timestamp, userId, movieId.

        Raises:
            MovielensError: See its subclasses. `RatingsChangedError` may come after rows were yielded: those are a
                mix of two states of the data and must be thrown away.
        """
        for frame in self.get_rating_frames(start_date, end_date, batch_size):
            yield from frame.iter_rows(named=True)

    def get_rating_frames(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Read the ratings of a window as dataframes, one a page; arguments and errors as for `get_ratings`.

        Yields:
            Dataframes of userId Int32, movieId Int32, rating Float32, timestamp Int64.
        """
        return self._frames(RATINGS, Window.of(start_date, end_date), batch_size)

    def read_batches(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
        *,
        bookmark: Bookmark | None = None,
        on_bad_rows: Literal["fail", "quarantine"] = "fail",  # noqa: ARG002
    ) -> Iterator[Batch]:
        """Read the ratings of a window in batches, each with a bookmark behind it."""
        window = Window.of(start_date, end_date)
        page_size = checked_page_size(self.settings.page_size if batch_size is None else batch_size)
        mark = bookmark

        def read(offset: int, limit: int) -> Page:
            page = with_retries(lambda: read_page(*self._get(RATINGS, window, offset, limit), RATINGS, window), 3)
            if mark is not None and (
                page.total != mark.total or (offset < mark.count and page.rows.row(0) != mark.last)
            ):
                raise RatingsChangedError(f"the total went from {mark and mark.total} to {page.total}", page.exchange)
            return page

        while True:
            overlap = 0 if mark is None or mark.count == 0 else 1
            count = 0 if mark is None else mark.count
            page = read(count - overlap, page_size)
            good = page.rows.slice(overlap)
            last = page.rows.row(-1) if len(page.rows) else None
            mark = Bookmark("offset", count + len(good), page_size, page.total, last)
            is_last = good.is_empty()
            if is_last and page.total not in {None, mark.count}:
                raise RatingsChangedError(
                    f"the API announced {page.total} ratings but {mark.count} can be read", page.exchange
                )
            yield Batch(Rows(good, len(good)), mark, is_last)
            if is_last:
                return

    def get_movies(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Read all movies, lazily: ``{"movieId", "title", "year", "genres"}`` in the order of movieId."""
        for frame in self.get_movie_frames(batch_size):
            yield from frame.iter_rows(named=True)

    def get_movie_frames(self, batch_size: int | None = None) -> Iterator[pl.DataFrame]:
        """Read all movies as dataframes of movieId Int32, title String, year Int32, genres String, one a page."""
        return self._frames(MOVIES, Window(), batch_size)

    def get_users(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Read all users, lazily: ``{"userId", "num_ratings"}`` in the order of userId."""
        for frame in self._frames(USERS, Window(), batch_size):
            yield from frame.iter_rows(named=True)

    def count_ratings(self, start_date: str | date | None = None, end_date: str | date | None = None) -> int:
        """Count the ratings of a window with one request for no rows.

        Raises:
            MovielensError: See its subclasses; `DataError` if the server does not announce a total.
        """
        window = Window.of(start_date, end_date)

        def count() -> int:
            body, exchange = self._get(RATINGS, window, 0, 0)
            total = read_total(body, exchange) if isinstance(body, dict) else None
            if total is None:
                raise BadAnswerError('the API\'s answer has no "total", so ratings cannot be counted', exchange)
            return total

        return with_retries(count, self.settings.retries)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frames(self, table: Table, window: Window, batch_size: int | None) -> Iterator[pl.DataFrame]:
        page_size = checked_page_size(self.settings.page_size if batch_size is None else batch_size)

        def fetch(offset: int, limit: int) -> Page:
            return with_retries(lambda: read(offset, limit), self.settings.retries)

        def read(offset: int, limit: int) -> Page:
            return read_page(*self._get(table, window, offset, limit), table, window)

        return read_by_offset(fetch, table, page_size)

    def _get(self, table: Table, window: Window, offset: int, limit: int) -> tuple[Any, Exchange]:
        params = {**window.query(), "offset": offset, "limit": limit}
        return get_json(self.session, f"{self.settings.base_url}/{table.name}", params, self.settings)
