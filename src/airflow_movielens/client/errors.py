"""What can go wrong with a ratings API, by what the caller should do.

MovielensError
├── RetryableError              try again later
│   ├── RatingsChangedError     try again: the window starts over
│   └── BadResponseError          ask once more; never leaves the client: becomes a DataError
│       └── BadRowsError        rows break the contract: may be quarantined
├── FatalError                  mend the configuration or the request first
├── DataError                   the server's data breaks the contract: look at it
└── AbortedError                the client was closed, or its rows are no longer wanted

Every error that comes from an exchange with the server carries that ``exchange``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow_movielens.ratings.messages import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_movielens.client.rows import BadRow


class Exchange(NamedTuple):
    """One request and what the server answered.

    Attributes:
        method: The HTTP method.
        url: The whole URL, without credentials.
        status: The answer's status code; None if no answer arrived.
        server_said: The server's own words, shortened; empty if it said nothing readable.
    """

    method: str
    url: str
    status: int | None = None
    server_said: str = ""

    def __str__(self) -> str:
        answer = f" answered {self.status}" if self.status is not None else ""
        words = f": {self.server_said}" if self.server_said else ""
        return f"{self.method} {self.url}{answer}{words}"


class MovielensError(Exception):
    """Base of all errors of this package.

    Attributes:
        exchange: The request that failed and its answer; None if no request was involved.
    """

    def __init__(self, message: str, exchange: Exchange | None = None) -> None:
        super().__init__(message)
        self.exchange = exchange

    def __str__(self) -> str:
        message = super().__str__()
        # A server's words and headers may hold anything.
        return printable(f"{message} [{self.exchange}]" if self.exchange else message)


class RetryableError(MovielensError):
    """A passing fault: the network, an overloaded server. The same request may succeed later.

    Attributes:
        retry_after: Seconds the server asked to wait; None if it named none.
    """

    def __init__(self, message: str, exchange: Exchange | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, exchange)
        self.retry_after = retry_after


class RatingsChangedError(RetryableError):
    """The server's data changed while its pages were read: what was read is a mix, the window starts over."""


class BadResponseError(RetryableError):
    """An answer that cannot be read or breaks the contract; if it stays so, a `DataError` says it."""


class BadRowsError(BadResponseError):
    """Rows of an answer break the contract.

    Attributes:
        bad_rows: These rows.
    """

    def __init__(self, message: str, exchange: Exchange, bad_rows: Sequence[BadRow]) -> None:
        super().__init__(message, exchange)
        self.bad_rows = tuple(bad_rows)


class FatalError(MovielensError):
    """Trying again cannot help: wrong credentials, a wrong address, a bad window or setting."""


class DataError(MovielensError):
    """The server answered with data that breaks the contract, on a second look too.

    Attributes:
        bad_rows: The rows that break it; empty if the answer as a whole does.
    """

    def __init__(self, message: str, exchange: Exchange | None = None, bad_rows: Sequence[BadRow] = ()) -> None:
        super().__init__(message, exchange)
        self.bad_rows = tuple(bad_rows)


class AbortedError(MovielensError):
    """A request or a wait was ended from this side: the client was closed, or its rows are no longer wanted."""
