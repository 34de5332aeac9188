"""The sensor: waits until a window has ratings."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator

from airflow_movielens.client import FatalError, RetryableError
from airflow_movielens.connection.coerce import truth, whole_number
from airflow_movielens.task_errors import airflow_exceptions, clear_failures, explained_skips
from airflow_movielens.window import WindowMixin, resolve_window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from airflow.sdk import Context

    from airflow_movielens.client import Window


class MovielensRatingsSensor(WindowMixin, BaseSensorOperator):
    """Wait until a window has at least ``min_ratings`` ratings.

    If ``timeout`` passes first, the task fails, or is skipped with ``soft_fail=True``. The sensor tolerates an outage
    of the API in the same way as missing ratings. An error that waiting cannot fix, such as a wrong password, fails the
    task at once, even with ``soft_fail``: a misconfigured pipeline must not look like a quiet day. (``never_fail``
    skips it anyway.) This holds in every mode: poke, reschedule and deferred.

    Args:
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD`` or a date; None to derive the window from the run.
        end_date: First UTC day after the window; None likewise.
        min_ratings: How many ratings to wait for, at least 1.
        deferrable: Whether to poll once in a worker and then wait in the triggerer, without a worker slot; it takes
            precedence over ``mode``. None for Airflow's setting ``[operators] default_deferrable``.
        **kwargs: Arguments of BaseSensorOperator: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail``, …
    """

    template_fields: Sequence[str] = ("conn_id", "_start_date", "_end_date", "min_ratings")

    def __init__(
        self,
        *,
        conn_id: str = "movielens_default",
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        min_ratings: int = 1,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._start_date = self._given_bound("start_date", start_date, kwargs["default_args"])
        self._end_date = self._given_bound("end_date", end_date, kwargs["default_args"])
        self.min_ratings = min_ratings
        self.deferrable = _deferrable_by_default() if deferrable is None else deferrable

    def execute(self, context: Context) -> Any:
        """Wait for the ratings; see ``BaseSensorOperator``."""
        began = time.time()
        # Around `poke`, not inside: there, `soft_fail` would turn a failure into a skip.
        with clear_failures(), explained_skips():
            self.deferrable = truth("deferrable", self.deferrable)
            if self.deferrable:
                # The first poll ends in a reschedule, which becomes a deferral below.
                self.mode = "reschedule"
            if self.reschedule and "ti" not in context:
                raise FatalError("the context has no task instance, which this mode needs: use mode='poke'")
            try:
                return super().execute(context)
            except airflow_exceptions().AirflowRescheduleException:
                if not self.deferrable:
                    raise
                self._wait_in_triggerer(context, began + self.timeout)

    def poke(self, context: Context) -> bool:
        """Poll once."""
        from airflow_movielens.hooks import MovielensHook

        window = self._window(context)
        wanted = whole_number("min_ratings", self.min_ratings)
        try:
            with MovielensHook(self.conn_id) as hook:
                count = hook.client.count_ratings(window.start, window.end, enough=wanted)
        except RetryableError as error:
            self.log.warning("The API is not available, polling again later: %s", error)
            return False
        self.log.info("Found %d ratings in %s, waiting for %d", count, window, wanted)
        return count >= wanted

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after the triggerer; see ``BaseSensorOperator``."""
        exceptions = airflow_exceptions()
        with clear_failures(), explained_skips():
            try:
                return super().resume_execution(next_method, next_kwargs, context)
            except exceptions.AirflowSkipException as skip:
                # Airflow skips deferred sensors in more cases than others: for a failure that is not a timeout with
                # soft_fail, and for a timeout with never_fail.
                has_timed_out = isinstance(skip.__cause__, exceptions.AirflowSensorTimeout)
                if skip.__cause__ is None or has_timed_out == self.soft_fail:
                    raise
                raise skip.__cause__ from None

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """End the task according to the trigger's event.

        Args:
            context: Airflow's context of the running task.
            event: The event of `MovielensRatingsTrigger`.
        """
        if event["status"] == "found":
            self.log.info("Found %d ratings", event["count"])
        elif event["status"] == "timeout":
            raise airflow_exceptions().AirflowSensorTimeout(
                f"Sensor has timed out: fewer than {self.min_ratings} ratings in {self.timeout:g} seconds"
            )
        elif self.never_fail:
            raise airflow_exceptions().AirflowFailException(event["message"])
        else:
            raise (RetryableError if event["retry"] else FatalError)(event["message"])

    def _window(self, context: Context) -> Window:
        return resolve_window(context, self._start_date, self._end_date)

    def _wait_in_triggerer(self, context: Context, deadline: float) -> NoReturn:
        from airflow_movielens.triggers.ratings import LAST_POLL_SECONDS, MovielensRatingsTrigger

        window = self._window(context)
        trigger = MovielensRatingsTrigger(
            conn_id=self.conn_id,
            start_date=str(window.start),
            end_date=str(window.end),
            min_ratings=whole_number("min_ratings", self.min_ratings),
            poll_interval=self.poke_interval,
            deadline=deadline,
            silent_fail=self.silent_fail,
        )
        # The trigger itself ends at the deadline; this timeout applies if no triggerer runs.
        seconds = max(0.0, deadline - time.time()) + 2 * LAST_POLL_SECONDS
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=seconds))


def _deferrable_by_default() -> bool:
    try:
        from airflow.sdk.configuration import conf
    except ImportError:  # Airflow 3.1
        from airflow.configuration import conf
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))
