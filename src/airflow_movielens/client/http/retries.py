"""Retries: which errors are worth one, how long to wait, when to give up, and what is told then."""

from __future__ import annotations

import logging
import random
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from airflow_movielens.client.errors import (
    BadAnswerError,
    BadRowsError,
    DataError,
    MovielensError,
    RatingsChangedError,
    RetryableError,
)
from airflow_movielens.client.http import rate_limit as clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_movielens.client.http.rate_limit import RateLimit

log = logging.getLogger(__name__)

LONGEST_BACK_OFF = 60.0
LONGEST_RETRY_AFTER = 300.0
"""A server that asks for a longer wait than this many seconds gets none here: whoever called tries again later."""

_TIMES = {1: "", 2: " twice"}
_T = TypeVar("_T")


def _ignore(_: RetryableError) -> None:
    pass


def with_retries(
    call: Callable[[], _T], retries: int, rate_limit: RateLimit, on_overload: Callable[[RetryableError], None] = _ignore
) -> _T:
    """Run ``call``; on a `RetryableError` wait and run it again.

    The wait is exponential back-off with jitter. A longer ``Retry-After``, with as much jitter, replaces it; a
    ``Retry-After`` of any length holds for all requests of the client.

    Args:
        call: Sends a request.
        retries: How often to run it again, at least 0.
        rate_limit: Does the waiting.
        on_overload: Told of each failure after which ``call`` is run again.

    Raises:
        DataError: The last failure was an answer that broke the contract.
        RatingsChangedError: At once.
        RetryableError: The budget of ``retries`` is spent, or the server asks for too long a wait; it tells the story.
        MovielensError: Anything else at once.
    """
    began = clock.now()
    failures: list[RetryableError] = []
    while True:
        try:
            return call()
        except RatingsChangedError:
            raise
        except RetryableError as error:
            failures.append(error)
            if len(failures) > retries or (error.retry_after or 0.0) > LONGEST_RETRY_AFTER:
                raise _final(failures, clock.now() - began) from error
            on_overload(error)
            _wait(error, len(failures), rate_limit)


def _wait(error: RetryableError, attempt: int, rate_limit: RateLimit) -> None:
    own = back_off(attempt)
    asked = 0.0 if error.retry_after is None else error.retry_after + jitter()
    log.log(_log_level(error, rate_limit), "Attempt %d failed, retrying in %.1f s: %s", attempt, max(own, asked), error)
    if error.retry_after is not None:
        rate_limit.pause(asked)
    if asked < own:
        rate_limit.sleep(own)


def _log_level(error: RetryableError, rate_limit: RateLimit) -> int:
    status = error.exchange.status if error.exchange else None
    # Some servers limit by 503.
    is_rate_limit = status == HTTPStatus.TOO_MANY_REQUESTS or error.retry_after is not None
    return logging.DEBUG if is_rate_limit and not rate_limit.is_first_refusal() else logging.WARNING


def back_off(attempt: int) -> float:
    """Seconds to wait after this many attempts: 1, 2, 4, …, and jitter."""
    return min(2.0 ** min(attempt - 1, 10), LONGEST_BACK_OFF) + jitter()


def jitter() -> float:
    """Up to a second, so that clients do not keep step."""
    return random.random()  # noqa: S311 -- no secret


def _final(failures: list[RetryableError], seconds: float) -> MovielensError:
    last = failures[-1]
    message = _story(failures, seconds) + str(last.args[0]) + _asked_wait(last)
    if isinstance(last, BadAnswerError):
        return DataError(message, last.exchange, last.bad_rows if isinstance(last, BadRowsError) else ())
    return RetryableError(message, last.exchange, last.retry_after)


def _story(failures: list[RetryableError], seconds: float) -> str:
    if len(failures) == 1:
        return ""
    kinds = [(kind, len(list(group))) for kind, group in groupby(map(_kind, failures))]
    course = ", then ".join(kind + _TIMES.get(count, f" {count} times") for kind, count in kinds)
    return f"gave up after {len(failures)} attempts in {seconds:.1f} s ({course}), last: "


def _kind(error: RetryableError) -> str:
    status = error.exchange.status if error.exchange else None
    if status is not None and status != HTTPStatus.OK:
        return str(status)
    return str(error.args[0]).partition(" (")[0].partition(":")[0]


def _asked_wait(error: RetryableError) -> str:
    if error.retry_after is None or error.retry_after <= LONGEST_RETRY_AFTER:
        return ""
    return f"; it asks to wait {error.retry_after:,.0f} s before the next request, longer than is waited here"
