"""A connection to PostgreSQL, taken once from Airflow's hook, with either of its drivers.

Airflow's hook uses psycopg 3 with SQLAlchemy 2, and psycopg2 with SQLAlchemy 1.4, which Airflow 3.1 accepts too.
"""

from __future__ import annotations

from concurrent.futures import wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_movielens.client import FatalError
from airflow_movielens.client.concurrency import begin, result_of
from airflow_movielens.postgres.errors import clear_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_T = TypeVar("_T")

_SECONDS_TO_CANCEL = 2
_READ_AT_ONCE = 1 << 18


class Database:
    """A connection, and its transaction, which begins with the first statement.

    Args:
        connection: The connection of a driver.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._is_psycopg2 = type(connection).__module__.partition(".")[0] == "psycopg2"

    @property
    def address(self) -> str:
        """The host and port of the server."""
        info = self._connection.info
        # A path is that of a Unix socket.
        host = "localhost" if not info.host or info.host.startswith("/") else info.host
        return f"{host}:{info.port}"

    @property
    def name(self) -> str:
        """The name of the database."""
        return str(self._connection.info.dbname)

    def execute(self, statement: str, values: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        """Execute a statement, and return its rows.

        Args:
            statement: The statement. With values, it has a ``%s`` for each.
            values: The values; None for a statement in which ``%`` has no meaning.
        """
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return [] if cursor.description is None else list(cursor.fetchall())

    def copy(self, statement: str, data: Iterable[bytes]) -> None:
        """Execute ``COPY … FROM STDIN`` with data.

        Raises:
            Exception: An error of the data, which ends the statement.
        """
        with self._cursor() as cursor:
            if self._is_psycopg2:
                reader = _Reader(iter(data))
                try:
                    cursor.copy_expert(statement, reader, _READ_AT_ONCE)
                finally:
                    # psycopg2 only quotes it.
                    if reader.error is not None:
                        raise reader.error
                return
            with cursor.copy(statement) as copy:
                for piece in data:
                    copy.write(piece)

    def commit(self) -> None:
        """Commit the transaction."""
        self._connection.commit()

    def cancel(self) -> None:
        """Let the server end the statement that another thread waits for."""
        self._connection.cancel()

    def _cursor(self) -> Any:
        # The connection may have set another kind of rows.
        if self._is_psycopg2:
            from psycopg2.extensions import cursor

            return self._connection.cursor(cursor_factory=cursor)
        from psycopg.rows import tuple_row

        return self._connection.cursor(row_factory=tuple_row)


class _Reader:
    """Pieces of data as a file that psycopg2 can read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        try:
            while not self._left and (piece := next(self._pieces, None)) is not None:
                self._left = piece
        except Exception as error:
            self.error = error
            raise
        found, self._left = self._left[:size], self._left[size:]
        return found


def check_provider() -> None:
    """Check that Airflow's provider for PostgreSQL is installed.

    Raises:
        FatalError: It is not.
    """
    _hook_class()


@contextmanager
def connected(conn_id: str) -> Iterator[Database]:
    """Yield a connection, which is closed at the end; what was not committed then is undone.

    Args:
        conn_id: The Airflow connection.

    Raises:
        FatalError: Airflow's provider is not installed, or the server refuses the connection.
        RetryableError: The server cannot be reached.
        AirflowNotFoundException: There is no such Airflow connection.
    """
    hook = _hook_class()(postgres_conn_id=conn_id)
    with clear_errors(conn_id):
        connection = hook.get_conn()
    try:
        with clear_errors(conn_id):
            yield Database(connection)
    finally:
        with suppress(Exception):
            connection.close()


def stoppable(database: Database, work: Callable[[], _T]) -> _T:
    """Do work with a connection in a thread, so that Airflow can stop the task meanwhile; then it is cancelled."""
    future = begin(work)
    try:
        return result_of(future)
    finally:
        if not future.done():
            with suppress(Exception):
                database.cancel()
            wait([future], _SECONDS_TO_CANCEL)


def _hook_class() -> Any:
    try:
        from airflow.providers.postgres.hooks.postgres import PostgresHook
    except ImportError as error:
        raise FatalError(
            f"tables of PostgreSQL need Airflow's provider for it: install airflow-movielens[postgres] ({error})"
        ) from error
    return PostgresHook
