"""The hook: an Airflow connection of type ``movielens`` as a client of its ratings API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from airflow.exceptions import AirflowNotFoundException  # type: ignore[attr-defined] # 3.1 has it nowhere else
from airflow.sdk import BaseHook

from airflow_movielens.connection import form
from airflow_movielens.connection.client_factory import check, client_from_connection, refuse_unreadable
from airflow_movielens.connection.coerce import connection_id
from airflow_movielens.lineage import collect_input

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import polars as pl
    from requests import Session

    from airflow_movielens.client import MovielensClient
    from airflow_movielens.client.http.transport import CustomTransport


class MovielensConn(NamedTuple):
    """The result of `MovielensHook.get_conn`: an authenticated session and the base URL of the API."""

    session: Session
    base_url: str


class MovielensHook(BaseHook):
    """Hook for a MovieLens-style ratings API.

    Usable as a context manager; otherwise call `close`.

    Args:
        conn_id: The Airflow connection: host, port, schema (``http`` or ``https``), login and password.
        retry: How often a failed request is retried before its error is raised.
        concurrency: How many requests may be in flight at once; None for the connection's setting.
        transport: Function that responds to requests instead of the API, for tests; see `MovielensClient`.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "movielens_default"
    conn_type = "movielens"
    hook_name = "MovieLens ratings API"

    def __init__(
        self,
        conn_id: str = default_conn_name,
        retry: int = 3,
        *,
        concurrency: int | None = None,
        transport: CustomTransport | None = None,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.retry = retry
        self.concurrency = concurrency
        self.transport = transport
        self._client: MovielensClient | None = None

    @property
    def client(self) -> MovielensClient:
        """The client of this hook, created from the connection at first use.

        Raises:
            FatalError: The connection is unusable.
        """
        if self._client is None:
            self._client = self._connect(self.retry, self.concurrency)
        return self._client

    @classmethod
    def get_connection(cls, conn_id: str) -> Any:
        """Get a connection from Airflow.

        Raises:
            FatalError: ``conn_id`` is not text, or the environment holds a connection that Airflow cannot read.
            AirflowNotFoundException: The connection does not exist.
        """
        connection_id(conn_id)
        try:
            return super().get_connection(conn_id)
        except AirflowNotFoundException as error:
            refuse_unreadable(conn_id, error)
            raise

    def get_conn(self) -> MovielensConn:
        """Return the authenticated session and the API's base URL. Both are created once."""
        return MovielensConn(self.client.session, self.client.settings.base_url)

    def get_ratings(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the ratings of a window one by one, lazily; see `MovielensClient.get_ratings`."""
        self._collect("ratings")
        yield from self.client.get_ratings(start_date, end_date, batch_size)

    def get_rating_frames(
        self,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        batch_size: int | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Yield the ratings of a window as dataframes, lazily; see `MovielensClient.get_rating_frames`."""
        self._collect("ratings")
        yield from self.client.get_rating_frames(start_date, end_date, batch_size)

    def get_movies(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield all movies, lazily; see `MovielensClient.get_movies`."""
        self._collect("movies")
        yield from self.client.get_movies(batch_size)

    def get_users(self, batch_size: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield all users, lazily; see `MovielensClient.get_users`."""
        self._collect("users")
        yield from self.client.get_users(batch_size)

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the API responds and accepts the credentials, with a sentence about it; see `check`."""
        return check(lambda: self._connect(retries=0, concurrency=1))

    @staticmethod
    def get_connection_form_widgets() -> dict[str, Any]:
        """Return the form's fields for Airflow 3.1; later versions read the provider info instead."""
        return form.widgets()

    @staticmethod
    def get_ui_field_behaviour() -> dict[str, Any]:
        """Return the form's labels and placeholders for Airflow 3.1."""
        return form.behaviour()

    def _connect(self, retries: int, concurrency: int | None) -> MovielensClient:
        connection = self.get_connection(self.conn_id)
        return client_from_connection(connection, retries, concurrency, self.transport)

    def _collect(self, resource: str) -> None:
        collect_input(self, self.client.settings.base_url, resource)

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
