"""Retries: which errors are worth one, how long to wait, when to give up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import tenacity

from airflow_movielens.client.errors import BadAnswerError, DataError, RatingsChangedError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_LONGEST_WAIT = 60.0
_BACKOFF = tenacity.wait_exponential(multiplier=1.0, max=_LONGEST_WAIT) + tenacity.wait_random(0.0, 1.0)


def with_retries(call: Callable[[], _T], retries: int) -> _T:
    """Run ``call``; on a `RetryableError` wait (back-off with jitter, or ``Retry-After``) and run it again.

    Raises:
        DataError: The last failure was an answer that broke the contract.
        RetryableError: The budget of ``retries`` is spent; the last failure.
        MovielensError: Anything else at once.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(retries + 1),
        wait=_wait,
        retry=tenacity.retry_if_exception(_worth_retrying),
        before_sleep=_log_retry,
        reraise=True,
    )
    try:
        return retrying(call)
    except BadAnswerError as error:
        raise DataError(error.args[0], error.exchange) from error


def _worth_retrying(error: BaseException) -> bool:
    return isinstance(error, RetryableError) and not isinstance(error, RatingsChangedError)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, RetryableError) else None
    backoff = _BACKOFF(state)
    return backoff if asked is None else min(max(asked, 0.0), _LONGEST_WAIT)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0.0
    log.warning("Attempt %d failed, next one in %.1f s: %s", state.attempt_number, wait, error)
