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
_FATAL: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the API refuses the credentials: check user and password (or token)",
    HTTPStatus.FORBIDDEN: "the API refuses the credentials: check user and password (or token)",
    HTTPStatus.NOT_FOUND: "the API does not know this address: check host, port and path",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "the proxy refuses the credentials: check the proxy's URL",
}


def error_of_status(status: int, headers: Mapping[str, str], exchange: Exchange) -> MovielensError:
    """The error that an unsuccessful answer means.

    Args:
        status: Any but 200.
        headers: The answer's headers, looked up whatever their case.
        exchange: The request and the answer.

    Returns:
        `RetryableError` for 408, 429, 5xx; `RatingsChangedError` for 409 and 410; else `FatalError`.
    """
    if status in _CHANGED:
        return RatingsChangedError("the snapshot is gone", exchange)
    if status in _RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RetryableError("the API is busy or broken", exchange, retry_after(headers))
    return FatalError(_FATAL.get(status, _REFUSED), exchange)


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
