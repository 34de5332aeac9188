"""What went wrong on the way, as an error by type."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from http.client import BadStatusLine, RemoteDisconnected
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_movielens.client.errors import AbortedError, BadAnswerError, FatalError, MovielensError, RetryableError
from airflow_movielens.client.http.bodies import TooLargeError
from airflow_movielens.client.http.codings import CodingError
from airflow_movielens.client.http.tls import hopeless_tls_problem
from airflow_movielens.client.settings import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.http.deadlines import UnderWay


@contextmanager
def explained(exchange: Exchange, request: UnderWay) -> Iterator[None]:
    """Turn the errors of urllib3, sockets and bodies into ours.

    Raises:
        RetryableError: No answer came, it broke off, or it took too long.
        BadAnswerError: It cannot be decompressed, or is too large.
        FatalError: Trying again cannot help.
        AbortedError: The request was cut, or the session is closed.
    """
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (CodingError, TooLargeError) as error:
        raise BadAnswerError(f"the API's answer cannot be read: {error}", exchange) from error
    except (HTTPError, OSError) as error:
        request.check(exchange)
        raise error_of_trouble(error, exchange) from error
    except ValueError as error:
        # Without the error's own words: they may quote a header with credentials.
        message = f"the request cannot be sent ({type(error).__name__}): check the API's address and the credentials"
        raise FatalError(message, exchange) from None
    # The end of an answer without a length looks the same whoever ended it.
    request.check(exchange)


def error_of_trouble(error: Exception, exchange: Exchange) -> MovielensError:
    """The error that a failure of the network, of TLS or of HTTP itself means.

    Args:
        error: What urllib3 or a socket raised.
        exchange: The request.

    Returns:
        `FatalError` where trying again cannot help; `AbortedError` if the session is closed; else `RetryableError`.
    """
    from urllib3 import exceptions

    cause = _root_cause(error)
    if isinstance(error, exceptions.ClosedPoolError):
        return AbortedError("the client is closed", exchange)
    if isinstance(cause, ssl.SSLError) and (problem := hopeless_tls_problem(cause)):
        return FatalError(problem, exchange)
    if isinstance(error, exceptions.ProxyError):
        return _proxy_trouble(cause, exchange)
    return RetryableError(_network_problem(error, cause, exchange), exchange)


def _network_problem(error: Exception, cause: BaseException, exchange: Exchange) -> str:
    from urllib3 import exceptions

    if isinstance(cause, ssl.SSLError):
        return f"no secure connection to the API ({cause})"
    if isinstance(error, exceptions.NewConnectionError):
        return f"no connection to the API: is it running, are host and port right?{_assumed_port(exchange)} ({cause})"
    if isinstance(error, exceptions.TimeoutError):
        return "the API did not answer in time"
    if isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
        advice = " Does it speak https?" if exchange.url.startswith("http:") else ""
        return f"what answers at this address does not speak HTTP: check host and port.{advice} ({cause!r})"
    return f"the API's answer broke off ({cause})"


def _assumed_port(exchange: Exchange) -> str:
    is_default = urlsplit(exchange.url).port == DEFAULT_PORT
    return f" Port {DEFAULT_PORT} is assumed where neither the host nor the port field gives one" if is_default else ""


def _proxy_trouble(cause: BaseException, exchange: Exchange) -> MovielensError:
    if "407" in str(cause):
        return FatalError("the proxy refuses the credentials: check the proxy's URL", exchange)
    return RetryableError(f"no connection through the proxy ({cause})", exchange)


def _root_cause(error: BaseException) -> BaseException:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error
