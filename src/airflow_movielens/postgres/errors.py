"""The errors of PostgreSQL and of its drivers, by what the caller should do."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_movielens.client import DataError, FatalError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DRIVERS = {"psycopg", "psycopg2"}

# A connection that fails has no SQLSTATE. What is not among these may be over soon, such as a server that is starting.
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|(role|database) \".*\" (does not exist|is not)"
    r"|not permitted to log in|permission denied for database|SSL|ssl|certificate"
    r"|invalid (connection option|dsn|integer value|port|\w+ value)"
)

# By class or whole code: https://www.postgresql.org/docs/current/errcodes-appendix.html
_RETRYABLE = ("08", "40", "53", "55P03", "57", "58")
_OF_DATA = ("21", "22", "23")
_THERE_TWICE = "23505"
_FATAL = ("0A", "25006", "28", "2B", "3D", "3F", "42", "44")


@contextmanager
def clear_errors(conn_id: str) -> Iterator[None]:
    """Translate errors of the drivers.

    Args:
        conn_id: The Airflow connection, to be named.

    Raises:
        RetryableError: The server cannot be reached, ended the connection or the statement, or lacks resources.
        FatalError: It refuses the credentials or the statement.
        DataError: It refuses the values.
    """
    try:
        yield
    except Exception as error:
        if not _is_of_a_driver(error):
            raise
        raise translated(error, conn_id) from error


def _is_of_a_driver(error: Exception) -> bool:
    return any(kind.__module__.partition(".")[0] in _DRIVERS for kind in type(error).__mro__)


def translated(error: Any, conn_id: str) -> Exception:
    """Return an error of a driver as one of ours, or as it is if it is of no known kind."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state is None:
        words = f"PostgreSQL cannot be reached by the connection {conn_id}: {_one_line(str(error))}"
        is_refused = type(error).__name__ == "ProgrammingError" or _REFUSED.search(str(error))
        return FatalError(f"{words}: correct the connection") if is_refused else RetryableError(words)
    words = f"PostgreSQL of the connection {conn_id} refused: {_said(error)} ({state})"
    if state == _THERE_TWICE:
        return DataError(f"{words}: the input has a row twice, or another program wrote it at the same time")
    if state.startswith(_OF_DATA):
        return DataError(words)
    if state.startswith(_RETRYABLE):
        return RetryableError(words)
    return FatalError(words) if state.startswith(_FATAL) else error


def _said(error: Any) -> str:
    """Return the server's message, which has no statement in it."""
    said = [error.diag.message_primary, error.diag.message_detail, error.diag.message_hint]
    return _one_line(". ".join(part.rstrip(".") for part in said if part)) or _one_line(str(error))


def _one_line(text: str) -> str:
    return " ".join(text.split())
