"""The errors of the client, by what the caller should do.

MovielensError
├── RetryableError              try again later
│   ├── RatingsChangedError     try again: the window starts over
│   └── BadResponseError          ask once more; never leaves the client: becomes a DataError
│       └── BadRowsError        rows break the contract: may be quarantined
├── FatalError                  fix the configuration or the request first
├── DataError                   the server's data breaks the contract: inspect it
└── AbortedError                the client was closed, or its rows are no longer wanted

Every error of an exchange with the server carries that ``exchange``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_movielens.ratings.messages import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


class Exchange(NamedTuple):
    """One request and the server's response.

    Attributes:
        method: The HTTP method.
        url: The whole URL, without credentials.
        status: The response's status code; None if no response arrived.
        server_said: The server's own words, shortened; empty if it sent nothing readable.
    """

    method: str
    url: str
    status: int | None = None
    server_said: str = ""

    def __str__(self) -> str:
        answer = f" returned {self.status}" if self.status is not None else ""
        words = f": {self.server_said}" if self.server_said else ""
        return f"{self.method} {self.url}{answer}{words}"


@dataclass(frozen=True)
class BadRow:
    """A row that breaks the contract.

    Attributes:
        url: The request whose response held the row, without credentials.
        number: The position of the row in that response, from 0.
        column: The column that is wrong; empty if the row as a whole is wrong (not an object, or out of order).
        problem: What was found and what was expected.
        row: The row as it was sent.
    """

    url: str
    number: int
    column: str
    problem: str
    row: Any

    def may_be_between(self, start: int | None, end: int | None) -> bool:
        """Return whether the timestamp lies in ``[start, end)`` in Unix seconds, or cannot be read."""
        timestamp = self.row.get("timestamp") if isinstance(self.row, dict) else None
        if type(timestamp) is not int:
            return True
        return (start is None or start <= timestamp) and (end is None or timestamp < end)

    def __str__(self) -> str:
        return (
            f"row {self.number}, column {self.column!r}: {self.problem}"
            if self.column
            else (f"row {self.number}: {self.problem}")
        )


_LONGEST_MESSAGE = 2_000
"""A server may send any text, such as a media type of many kilobytes; Airflow stores messages in its database."""


class MovielensError(Exception):
    """Base of all errors of this package.

    Attributes:
        exchange: The request that failed and its response; None if no request was involved.
    """

    def __init__(self, message: str, exchange: Exchange | None = None) -> None:
        super().__init__(message)
        self.exchange = exchange

    def __str__(self) -> str:
        message = super().__str__()
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]}…"
        # A server's words and headers may hold anything.
        return printable(f"{message} [{self.exchange}]" if self.exchange else message)


class RetryableError(MovielensError):
    """A temporary failure, such as of the network or an overloaded server. The same request may succeed later.

    Attributes:
        retry_after: Seconds that the server requests to wait; None if it does not.
    """

    def __init__(self, message: str, exchange: Exchange | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, exchange)
        self.retry_after = retry_after


class RatingsChangedError(RetryableError):
    """The server's data changed while its pages were read: the rows are a mix of states, and the window starts over."""


class BadResponseError(RetryableError):
    """A response that cannot be read or breaks the contract; if it remains so, it becomes a `DataError`."""


class BadRowsError(BadResponseError):
    """Rows of a response break the contract.

    Attributes:
        bad_rows: The rows that break it.
    """

    def __init__(self, message: str, exchange: Exchange, bad_rows: Sequence[BadRow]) -> None:
        super().__init__(message, exchange)
        self.bad_rows = tuple(bad_rows)


class FatalError(MovielensError):
    """A failure that a retry cannot fix: wrong credentials, a wrong address, a bad window or setting."""


class DataError(MovielensError):
    """The server's data breaks the contract, even if it is requested again.

    Attributes:
        bad_rows: The rows that break it; empty if the response as a whole does.
    """

    def __init__(self, message: str, exchange: Exchange | None = None, bad_rows: Sequence[BadRow] = ()) -> None:
        super().__init__(message, exchange)
        self.bad_rows = tuple(bad_rows)


class AbortedError(MovielensError):
    """The client itself ended a request or a wait: it was closed, or its rows are no longer wanted."""
