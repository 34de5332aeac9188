"""Errors of the client as Airflow failures: retried, or failed at once with one clear message."""

from __future__ import annotations

import errno
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_movielens.client import DataError, FatalError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

_WRONG_PATHS = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
_WRONG_PLACES = {errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS}


class StoppableMixin:
    """A mixin for operators that end at once when Airflow stops them; a retry can resume."""

    def on_kill(self) -> None:
        """Leave ``execute``: Airflow calls this in the task's main thread and kills the process a little later."""
        # After its `execution_timeout`, a task has already left `execute` by the error to report, whose module differs
        # in Airflow 3.1.
        if type(sys.exception()).__name__ != "AirflowTaskTimeout":
            raise SystemExit("The task was asked to stop")


def airflow_exceptions() -> Any:
    """Return the module with Airflow's exceptions, which moved after 3.1."""
    import airflow.sdk.exceptions as moved

    if hasattr(moved, "AirflowFailException"):
        return moved
    import airflow.exceptions

    return airflow.exceptions


@contextmanager
def explained_skips() -> Iterator[None]:
    """Log why a sensor is skipped: Airflow itself logs only which argument of the sensor asks for it."""
    try:
        yield
    except airflow_exceptions().AirflowSkipException as skip:
        if skip.__cause__ is not None:
            log.warning("Skipping because of: %s", skip.__cause__)
        raise


@contextmanager
def clear_failures() -> Iterator[None]:
    """End a task with one clear message; fail it without further retries if these cannot help.

    `RetryableError` passes through, so that the task's retries apply; so does every other error, with its type and
    traceback in the log.
    """
    try:
        yield
    except RetryableError as error:
        # The chain of causes is long and adds nothing.
        raise error from None
    except Exception as error:
        words = final_words(error)
        if words is None:
            raise
        log.debug("Where it happened", exc_info=error)
        raise airflow_exceptions().AirflowFailException(words) from None


def final_words(error: Exception) -> str | None:
    """Return the message of an error that a retry cannot fix, or None for any other error.

    Such errors are `FatalError`, `DataError`, a bad value, a missing connection, and a path that is missing, forbidden,
    too long, on a read-only file system, or of the wrong kind.
    """
    from airflow.exceptions import AirflowNotFoundException  # type: ignore[attr-defined] # 3.1 has it nowhere else

    words = " ".join(str(error).splitlines())
    if isinstance(error, AirflowNotFoundException):
        return f"{words}: create it, or set AIRFLOW_CONN_ and its id in capitals in the environment"
    is_wrong_path = isinstance(error, _WRONG_PATHS) or (isinstance(error, OSError) and error.errno in _WRONG_PLACES)
    return words if is_wrong_path or isinstance(error, FatalError | DataError | ValueError) else None
