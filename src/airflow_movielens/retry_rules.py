"""The retry policy by our errors; needs Airflow 3.3 (see `movielens_retry_policy`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from airflow_movielens.client import DataError, FatalError, RetryableError

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision

LONGEST_DELAY = timedelta(days=1)
"""As long as Airflow's own back-off becomes at most."""


class MovielensRetryPolicy(ExceptionRetryPolicy):
    """Fails at once what a retry cannot mend; retries the rest when the API wants it."""

    def __init__(self) -> None:
        super().__init__(
            [
                RetryRule(RetryableError, RetryAction.RETRY, reason="the API may answer later"),
                RetryRule([FatalError, DataError], RetryAction.FAIL, reason="trying again cannot help"),
            ]
        )

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide what a failure leads to; see ``RetryPolicy``."""
        decision = super().evaluate(exception, try_number, max_tries, context)
        if not isinstance(exception, RetryableError) or exception.retry_after is None:
            return decision
        seconds = min(exception.retry_after, LONGEST_DELAY.total_seconds())
        own_delay = context["task"].retry_delay if context and "task" in context else timedelta(0)
        if seconds <= own_delay.total_seconds():
            return decision
        reason = f"the API asks for {seconds:,.0f} s without requests"
        return replace(decision, retry_delay=timedelta(seconds=seconds), reason=reason)
