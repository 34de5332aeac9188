"""The hook: an Airflow connection of type ``movielens`` as a client of its ratings API."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from airflow.sdk import BaseHook

from airflow_movielens.client import ClientSettings, FatalError, MovielensClient, MovielensError, build_base_url
from airflow_movielens.client.settings import DEFAULT_PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from airflow.sdk import Connection
    from requests import Session


class MovielensConn(NamedTuple):
    """What `MovielensHook.get_conn` gives: an authenticated session and the URL it is meant for."""

    session: Session
    base_url: str


def settings_from_connection(connection: Connection, retries: int) -> ClientSettings:
    """Turn an Airflow connection into client settings.

    Args:
        connection: Its host may be a bare host (default ``localhost``, port 5000) or a full URL; its extra may hold
            ``page_size`` and ``api_token``.
        retries: How often a failed request is tried again.

    Raises:
        FatalError: The connection is unusable; the message names it.
    """
    extra = connection.extra_dejson
    try:
        return ClientSettings(
            base_url=build_base_url(connection.host, connection.schema, connection.port),
            user=connection.login or None,
            password=connection.password,
            token=extra.get("api_token") or None,
            page_size=_whole_number(extra.get("page_size") or DEFAULT_PAGE_SIZE),
            retries=retries,
        )
    except FatalError as error:
        raise FatalError(f"connection {connection.conn_id!r}: {error}") from error


def _whole_number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise FatalError(f"page_size is {value!r}: give a whole number of at least 1") from None


class MovielensHook(BaseHook):
    """Reads a MovieLens-style ratings API.

    Usable as a context manager; otherwise call `close`.

    Args:
        conn_id: The Airflow connection: host, port, schema (``http`` or ``https``), login and password.
        retry: How often a failed request is tried again before its error is raised.
        concurrency: How many requests may be under way at once; None for the connection's number.
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
            settings = settings_from_connection(self.get_connection(self.conn_id), self.retry)
            if self.concurrency is not None:
                settings = replace(settings, concurrency=self.concurrency)
            self._client = MovielensClient(**vars(settings))
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
        yield from self.client.get_ratings(start_date, end_date, batch_size)

    def get_movies(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Read all movies, lazily; see `MovielensClient.get_movies`."""
        yield from self.client.get_movies(batch_size)

    def get_users(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Read all users, lazily; see `MovielensClient.get_users`."""
        yield from self.client.get_users(batch_size)

    def test_connection(self) -> tuple[bool, str]:
        """Say in a sentence whether the API answers and accepts the credentials."""
        try:
            count = self.client.count_ratings()
        except MovielensError as error:
            return False, str(error)
        return True, f"Connected to {self.client.settings.base_url}: it holds {count:,} ratings."

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
