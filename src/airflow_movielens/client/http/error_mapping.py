"""Errors of the client for statuses of responses and for failures of the network, TLS and HTTP."""

from __future__ import annotations

import re
import ssl
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import BadStatusLine, RemoteDisconnected
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_movielens.client.errors import (
    AbortedError,
    BadResponseError,
    FatalError,
    MovielensError,
    RatingsChangedError,
    RetryableError,
)
from airflow_movielens.client.http.responses import CompressionError, TooLargeError
from airflow_movielens.client.http.tls import hopeless_tls_problem
from airflow_movielens.client.settings import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.http.timeouts import InFlight

_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
"""Some servers send fractions, which the RFC does not allow."""
_RETRYABLE = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_CHANGED = {HTTPStatus.CONFLICT, HTTPStatus.GONE}
_REFUSED = "the API refuses this request"
_NO_PAGE = "the API responds with neither ratings nor an error, expected status 200: check host, port and path prefix"
_FATAL: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the API refuses the credentials: check user and password (or token)",
    HTTPStatus.FORBIDDEN: "the API refuses the credentials, or does not allow this with them: check user, password (or "
    "token) and role",
    HTTPStatus.NOT_FOUND: "the API does not know this address: check host, port and path prefix",
    HTTPStatus.METHOD_NOT_ALLOWED: "the API does not allow GET at this address: check host, port and path prefix",
    HTTPStatus.NOT_ACCEPTABLE: "the API has none of the requested formats: set data_format to one that it has",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "the proxy refuses the credentials: check the proxy's URL",
    HTTPStatus.NOT_IMPLEMENTED: "the API does not implement GET at this address: check host, port and path prefix",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "the API does not support HTTP/1.1",
    HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED: "the network asks for a login before it lets requests through",
}
_NO_CREDENTIALS = "the API asks for credentials, and none were given: give user and password, or a token"
_SPEAKS_TLS = re.compile("https (port|server)|ssl-enabled server", re.IGNORECASE)
"""What servers respond to a plain HTTP request on a TLS port."""


def error_of_status(
    status: int, headers: Mapping[str, str], exchange: Exchange, *, has_credentials: bool = True
) -> MovielensError:
    """Return the error for an unsuccessful response.

    Args:
        status: Any status code other than 200.
        headers: The response's headers, with names looked up in any case.
        exchange: The request and its response.
        has_credentials: Whether the request carried credentials.

    Returns:
        `RatingsChangedError` for 409 and 410; `RetryableError` for 408, 429 and 5xx except 501, 505 and 511; otherwise
        `FatalError`.
    """
    if status in _CHANGED:
        return RatingsChangedError("the snapshot is gone", exchange)
    if status in _RETRYABLE or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _FATAL):
        return RetryableError("the API is busy or broken", exchange, retry_after(headers))
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and not has_credentials:
        return FatalError(_NO_CREDENTIALS, exchange)
    if status == HTTPStatus.BAD_REQUEST and _SPEAKS_TLS.search(exchange.server_said):
        return FatalError("the API speaks https at this address: set the schema to https", exchange)
    other = _NO_PAGE if status < HTTPStatus.BAD_REQUEST else _REFUSED
    return FatalError(_FATAL.get(status, other), exchange)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait from ``Retry-After`` (RFC 9110, 10.2.3); None if it is missing or unreadable.

    A date is compared with the response's own ``Date``, so a wrong clock does not matter.
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    until = _date(value)
    return None if until is None else max((until - (_date(headers.get("Date", "")) or _now())).total_seconds(), 0.0)


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def mapped_errors(exchange: Exchange, request: InFlight) -> Iterator[None]:
    """Map the errors that urllib3, sockets and bodies raise in the block to errors of the client.

    Raises:
        RetryableError: No response came, or the response broke off or took too long.
        BadResponseError: The body cannot be decompressed or is too large.
        FatalError: A retry cannot help.
        AbortedError: The request was cut off, or the client is closed.
    """
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (CompressionError, TooLargeError) as error:
        raise BadResponseError(f"the API's response cannot be read: {error}", exchange) from error
    except (HTTPError, OSError) as error:
        _drop_frames(error)
        request.check(exchange)
        raise error_of_exception(error, exchange) from error
    except ValueError as error:
        _drop_frames(error)
        # The error's own text is left out, because it may quote a header with credentials.
        message = f"the request cannot be sent ({type(error).__name__}): check the API's address and the credentials"
        raise FatalError(message, exchange) from None
    # The end of a response without a length looks the same whether the server or the client ended it.
    request.check(exchange)


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its cause, the cause of that, and so on."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _drop_frames(error: BaseException) -> None:
    """Drop the frames of urllib3 and http.client, whose variables hold the header ``Authorization``."""
    for each in chain_of(error):
        each.__traceback__ = None


def error_of_exception(error: Exception, exchange: Exchange) -> MovielensError:
    """Return the error for a failure of the network, TLS or HTTP itself.

    Args:
        error: An error that urllib3 or a socket raised.
        exchange: The request.

    Returns:
        `FatalError` if a retry cannot help; `AbortedError` if the client is closed; otherwise `RetryableError`.
    """
    from urllib3 import exceptions

    cause = _root_cause(error)
    if isinstance(error, exceptions.ClosedPoolError):
        return AbortedError("the client is closed", exchange)
    if isinstance(cause, ssl.SSLError) and (problem := hopeless_tls_problem(cause)):
        return FatalError(problem, exchange)
    if isinstance(error, exceptions.ProxyError):
        return _proxy_problem(cause, exchange)
    return RetryableError(_network_problem(error, cause, exchange), exchange)


def _network_problem(error: Exception, cause: BaseException, exchange: Exchange) -> str:
    from urllib3 import exceptions

    if isinstance(cause, ssl.SSLError):
        return f"no secure connection to the API ({cause})"
    if isinstance(error, exceptions.NewConnectionError):
        return f"no connection to the API: is it running, are host and port right?{_assumed_port(exchange)} ({cause})"
    if isinstance(error, exceptions.TimeoutError):
        return "the API did not respond in time"
    if isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
        advice = " Does it speak https?" if exchange.url.startswith("http:") else ""
        return f"the server at this address does not speak HTTP: check host and port.{advice} ({cause!r})"
    return f"the API's response broke off ({cause})"


def _assumed_port(exchange: Exchange) -> str:
    is_default = urlsplit(exchange.url).port == DEFAULT_PORT
    return f" Port {DEFAULT_PORT} is assumed if neither the host nor the port field gives one" if is_default else ""


def _proxy_problem(cause: BaseException, exchange: Exchange) -> MovielensError:
    if "407" in str(cause):
        return FatalError("the proxy refuses the credentials: check the proxy's URL", exchange)
    return RetryableError(f"no connection through the proxy ({cause})", exchange)


def _root_cause(error: BaseException) -> BaseException:
    return list(chain_of(error))[-1]
