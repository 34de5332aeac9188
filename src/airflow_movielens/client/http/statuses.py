"""What the status of an answer means for the caller."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import FatalError, MovielensError, RatingsChangedError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_movielens.client.errors import Exchange

_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
"""Servers send fractions too, although the RFC knows none."""
_RETRYABLE = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_CHANGED = {HTTPStatus.CONFLICT, HTTPStatus.GONE}
_REFUSED = "the API refuses this request"
_NO_PAGE = "the API answers with neither ratings nor a refusal, expected status 200: check host, port and path prefix"
_FATAL: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the API refuses the credentials: check user and password (or token)",
    HTTPStatus.FORBIDDEN: "the API refuses the credentials, or does not allow this with them: check user, password (or "
    "token) and role",
    HTTPStatus.NOT_FOUND: "the API does not know this address: check host, port and path prefix",
    HTTPStatus.METHOD_NOT_ALLOWED: "the API does not allow GET at this address: check host, port and path prefix",
    HTTPStatus.NOT_ACCEPTABLE: "the API has none of the formats asked for: set data_format to one that it has",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "the proxy refuses the credentials: check the proxy's URL",
    HTTPStatus.NOT_IMPLEMENTED: "the API does not implement GET at this address: check host, port and path prefix",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "the API does not support HTTP/1.1",
    HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED: "the network asks for a login before it lets requests through",
}
_NO_CREDENTIALS = "the API asks for credentials, and none were given: give user and password, or a token"
_SPEAKS_TLS = re.compile("https (port|server)|ssl-enabled server", re.IGNORECASE)
"""How servers answer a request in plain HTTP on a port of TLS."""


def error_of_status(
    status: int, headers: Mapping[str, str], exchange: Exchange, *, has_credentials: bool = True
) -> MovielensError:
    """The error that an unsuccessful answer means.

    Args:
        status: Any but 200.
        headers: The answer's headers, looked up whatever their case.
        exchange: The request and the answer.
        has_credentials: Whether the request had any.

    Returns:
        `RatingsChangedError` for 409 and 410; `RetryableError` for 408, 429 and 5xx but 501, 505 and 511; otherwise
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
    """Seconds to wait, from ``Retry-After`` in either form (RFC 9110, 10.2.3); None if there is none to understand.

    A date is compared with the answer's own ``Date``, so that a clock that is wrong does no harm.
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
