"""Which failures of a task are worth a retry, for tasks that use the hook."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import RetryPolicy

log = logging.getLogger(__name__)


def movielens_retry_policy() -> RetryPolicy | None:
    """Make a retry policy that goes by our errors, for ``@task(retry_policy=…)`` or a Dag's ``default_args``.

    `FatalError` and `DataError` fail the task at once. `RetryableError`, and so `RatingsChangedError`, is tried again
    as often as the task's ``retries`` say: after the task's own ``retry_delay``, or after the time that the API asked
    for by ``Retry-After`` (a day at most) if that is longer. Any other error is left to Airflow.

    Our operators need no policy to fail at once; with this one, a retry of theirs obeys ``Retry-After``, too.

    Returns:
        The policy; None, with a warning, before Airflow 3.3, which has none. There pass it by ``default_args``: a task
        refuses an argument that it does not know.
    """
    try:
        from airflow.sdk import RetryPolicy  # noqa: F401 - only whether there are any
    except ImportError:
        log.warning("This Airflow has no retry policies (3.3 and later have): every error of the task is tried again")
        return None
    from airflow_movielens.retry_rules import MovielensRetryPolicy

    return MovielensRetryPolicy()
