"""The class of the retry policy; it needs Airflow 3.3 (see `movielens_retry_policy`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from airflow_movielens.client import DataError, FatalError, RetryableError

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision

LONGEST_DELAY = timedelta(days=1)
"""The longest delay of Airflow's own back-off."""


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
        seconds = min(exception.retry_after, LONGEST_DELAY.total_seconds())
        own_delay = context["task"].retry_delay if context and "task" in context else timedelta(0)
        if seconds <= own_delay.total_seconds():
            return decision
        reason = f"the API asked for a pause of {seconds:,.0f} s"
        return replace(decision, retry_delay=timedelta(seconds=seconds), reason=reason)
