"""The retry policy for tasks that use the hook: which failures are retried, and when."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_movielens.client import DataError, FatalError, RetryableError

try:
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
except ImportError:
    HAS_RETRY_POLICIES = False
else:
    HAS_RETRY_POLICIES = True

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision, RetryPolicy

log = logging.getLogger(__name__)

_MAX_DELAY = timedelta(days=1)
"""The longest delay of Airflow's own back-off."""


def movielens_retry_policy() -> RetryPolicy | None:
    """Return a retry policy for ``@task(retry_policy=…)`` or a Dag's ``default_args``.

    `FatalError` and `DataError` fail the task at once. `RetryableError`, and so `RatingsChangedError`, is retried up to
    the task's ``retries``: after the task's own ``retry_delay``, or after the time that the API requested by
    ``Retry-After`` (a day at most) if that is longer. Any other error is left to Airflow.

    The operators of this package fail at once without a policy; with it, their retries also obey ``Retry-After``.

    Returns:
        The policy, or None, with a warning, before Airflow 3.3, which has no retry policies. In older versions pass it
        by ``default_args``: a task rejects an argument that it does not know.
    """
    if not HAS_RETRY_POLICIES:
        log.warning("This Airflow has no retry policies (3.3 and later do): every error of the task is retried")
        return None
    return MovielensRetryPolicy()


if HAS_RETRY_POLICIES:

    class MovielensRetryPolicy(ExceptionRetryPolicy):
        """Fail at once if a retry cannot help; otherwise retry when the API allows it."""

        def __init__(self) -> None:
            super().__init__(
                [
                    RetryRule(RetryableError, RetryAction.RETRY, reason="the API may respond later"),
                    RetryRule([FatalError, DataError], RetryAction.FAIL, reason="a retry cannot help"),
                ]
            )

        def evaluate(
            self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
        ) -> RetryDecision:
            """Decide whether and when a failed task is retried; see ``RetryPolicy``."""
            decision = super().evaluate(exception, try_number, max_tries, context)
            if not isinstance(exception, RetryableError) or exception.retry_after is None:
                return decision
            seconds = min(exception.retry_after, _MAX_DELAY.total_seconds())
            own_delay = context["task"].retry_delay if context and "task" in context else timedelta(0)
            if seconds <= own_delay.total_seconds():
                return decision
            reason = f"the API requested a pause of {seconds:,.0f} s"
            return replace(decision, retry_delay=timedelta(seconds=seconds), reason=reason)
