"""The hook: an Airflow connection of type ``movielens`` as a client of its ratings API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from airflow.sdk import BaseHook

from airflow_movielens.client import DataError, MovielensError, RetryableError
from airflow_movielens.connection import client_from_connection
from airflow_movielens.hook_lineage import collect_input
from airflow_movielens.ratings.schema import MOVIES, RATINGS, USERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import polars as pl
    from requests import Session

    from airflow_movielens.client import MovielensClient
    from airflow_movielens.ratings.schema import Table


class MovielensConn(NamedTuple):
    """What `MovielensHook.get_conn` gives: an authenticated session and the URL it is meant for."""

    session: Session
    base_url: str


class MovielensHook(BaseHook):
    """Reads a MovieLens-style ratings API.

    Usable as a context manager; otherwise call `close`.

    Args:
        conn_id: The Airflow connection: host, port, schema (``http`` or ``https``), login and password.
        retry: How often a failed request is tried again before its error is raised.
        concurrency: How many requests may be under way at once; None for the connection's.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "movielens_default"
    conn_type = "movielens"
    hook_name = "MovieLens ratings API"

    def __init__(self, conn_id: str = default_conn_name, retry: int = 3, *, concurrency: int | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.retry = retry
        self.concurrency = concurrency
        self._client: MovielensClient | None = None

    @property
    def client(self) -> MovielensClient:
        """The client behind this hook, made from the connection at first use.

        Raises:
            FatalError: The connection is unusable.
        """
        if self._client is None:
            self._client = self._build_client(self.retry)
        return self._client

    def get_conn(self) -> MovielensConn:
        """Get the session, which authenticates by itself, and the API's base URL; made once."""
        return MovielensConn(self.client.session, self.client.settings.base_url)

    def get_ratings(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Read the ratings of a window, one by one and lazily; see `MovielensClient.get_ratings`."""
        self._collect(RATINGS)
        yield from self.client.get_ratings(start_date, end_date, batch_size)

    def get_rating_frames(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Read the ratings of a window as dataframes, lazily; see `MovielensClient.get_rating_frames`."""
        self._collect(RATINGS)
        yield from self.client.get_rating_frames(start_date, end_date, batch_size)

    def get_movies(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Read all movies, lazily; see `MovielensClient.get_movies`."""
        self._collect(MOVIES)
        yield from self.client.get_movies(batch_size)

    def get_users(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Read all users, lazily; see `MovielensClient.get_users`."""
        self._collect(USERS)
        yield from self.client.get_users(batch_size)

    def test_connection(self) -> tuple[bool, str]:
        """Say in a sentence whether the API answers and accepts the credentials.

        Each request is sent once: somebody waits for the answer.
        """
        try:
            with self._build_client(retries=0) as client:
                count = client.count_ratings()
        except MovielensError as error:
            return False, _sentence(error)
        return True, f"Connected to {client.settings.base_url}: it holds {count:,} ratings."

    def _collect(self, table: Table) -> None:
        collect_input(self, self.client.settings.base_url, table)

    def _build_client(self, retries: int) -> MovielensClient:
        return client_from_connection(self.get_connection(self.conn_id), retries, self.concurrency)

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sentence(error: MovielensError) -> str:
    # What the server sent may have several lines.
    words = " ".join(str(error).split())
    if isinstance(error, DataError):
        return f"Something answers, but not as a ratings API does. Are host and port right? {words}"
    if isinstance(error, RetryableError) and error.exchange and error.exchange.status is None:
        return f"There is no ratings API to be reached. Are host and port right? {words}"
    return words
