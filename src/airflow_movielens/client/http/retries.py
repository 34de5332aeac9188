"""Retries: which errors are retried, how long to wait, when to give up, and what the last error reports."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from airflow_movielens.client.errors import (
    BadResponseError,
    BadRowsError,
    DataError,
    MovielensError,
    RatingsChangedError,
    RetryableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.client.http.rate_limit import RateLimit

log = logging.getLogger(__name__)

MAX_BACK_OFF = 60.0
MAX_RETRY_AFTER = 300.0
"""If a server requests a longer wait than this many seconds, the request fails, and the caller may retry later."""

_TIMES = {1: "", 2: " twice"}
_T = TypeVar("_T")


def _ignore(_: RetryableError) -> None:
    pass


@dataclass(frozen=True)
class Retries:
    """The retries of requests.

    Before a retry, the client waits with exponential back-off and jitter. A longer ``Retry-After``, with jitter added,
    replaces the back-off; a ``Retry-After`` of any length delays all requests of the client.

    Attributes:
        max_retries: How many times to retry, at least 0.
        rate_limit: The client's rate limit, which waits.
        on_retry: Called with each error that is retried.
    """

    max_retries: int
    rate_limit: RateLimit
    on_retry: Callable[[RetryableError], None] = _ignore

    def run(self, call: Callable[[], _T]) -> _T:
        """Run ``call``, which sends a request, and repeat it after a `RetryableError`.

        Raises:
            DataError: The last response breaks the contract.
            RatingsChangedError: The data changed; this is not retried here.
            RetryableError: All retries failed, or the server requests too long a wait; the message lists the attempts.
            MovielensError: The call failed with an error that cannot be retried.
        """
        clock = self.rate_limit.clock
        start = clock.now()
        failures: list[RetryableError] = []
        while True:
            try:
                return call()
            except RatingsChangedError:
                raise
            except RetryableError as error:
                failures.append(error)
                if len(failures) > self.max_retries or (error.retry_after or 0.0) > MAX_RETRY_AFTER:
                    raise _final_error(failures, clock.now() - start) from error
                self.on_retry(error)
                _wait(error, len(failures), self.rate_limit)


def _wait(error: RetryableError, attempt: int, rate_limit: RateLimit) -> None:
    own = back_off(attempt)
    requested = 0.0 if error.retry_after is None else error.retry_after + jitter()
    log.log(
        _log_level(error, rate_limit), "Attempt %d failed, retrying in %.1f s: %s", attempt, max(own, requested), error
    )
    if error.retry_after is not None:
        rate_limit.pause(requested)
    if requested < own:
        rate_limit.sleep(own)


def _log_level(error: RetryableError, rate_limit: RateLimit) -> int:
    status = error.exchange.status if error.exchange else None
    # Some servers enforce a rate limit with 503.
    is_rate_limit = status == HTTPStatus.TOO_MANY_REQUESTS or error.retry_after is not None
    return logging.DEBUG if is_rate_limit and not rate_limit.is_first_refusal() else logging.WARNING


def back_off(attempt: int) -> float:
    """Return the seconds to wait after this many attempts: 1, 2, 4, …, plus jitter."""
    return min(2.0 ** min(attempt - 1, 10), MAX_BACK_OFF) + jitter()


def jitter() -> float:
    """Return a random part of a second, so that clients do not retry in step."""
    return random.random()  # noqa: S311 -- not a secret


def _final_error(failures: list[RetryableError], seconds: float) -> MovielensError:
    last = failures[-1]
    message = _history(failures, seconds) + str(last.args[0]) + _too_long_a_wait(last)
    if isinstance(last, BadResponseError):
        return DataError(message, last.exchange, last.bad_rows if isinstance(last, BadRowsError) else ())
    return RetryableError(message, last.exchange, last.retry_after)


def _history(failures: list[RetryableError], seconds: float) -> str:
    if len(failures) == 1:
        return ""
    kinds = [(kind, len(list(group))) for kind, group in groupby(map(_kind, failures))]
    summary = ", then ".join(kind + _TIMES.get(count, f" {count} times") for kind, count in kinds)
    return f"gave up after {len(failures)} attempts in {seconds:.1f} s ({summary}), last: "


def _kind(error: RetryableError) -> str:
    status = error.exchange.status if error.exchange else None
    if status is not None and status != HTTPStatus.OK:
        return str(status)
    return str(error.args[0]).partition(" (")[0].partition(":")[0]


def _too_long_a_wait(error: RetryableError) -> str:
    if error.retry_after is None or error.retry_after <= MAX_RETRY_AFTER:
        return ""
    return f"; it asks to wait {error.retry_after:,.0f} s before the next request, longer than the client waits"
