"""The retry policy for tasks that use the hook: which failures are retried, and when."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import RetryPolicy

log = logging.getLogger(__name__)


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
    try:
        from airflow.sdk import RetryPolicy  # noqa: F401 - only whether there are any
    except ImportError:
        log.warning("This Airflow has no retry policies (3.3 and later do): every error of the task is retried")
        return None
    from airflow_movielens.retry_rules import MovielensRetryPolicy

    return MovielensRetryPolicy()
