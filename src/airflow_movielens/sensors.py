"""The sensor: waits until a window has ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

from airflow_movielens.arguments import whole_number
from airflow_movielens.client import RetryableError
from airflow_movielens.failures import clear_failures
from airflow_movielens.hooks import MovielensHook

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from airflow.sdk import Context


class MovielensRatingsSensor(BaseSensorOperator):
    """Waits until a window has at least ``min_ratings`` ratings.

    When ``timeout`` passes first, the task fails, or is skipped with ``soft_fail=True``. An outage of the API is waited
    out like missing ratings. An error that waiting cannot mend, such as a wrong password, fails the task at once, with
    ``soft_fail`` too: a misconfigured pipeline must not look like a quiet day. (``never_fail`` skips it all the same.)

    Args:
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD`` or a date; None to derive the window from the run.
        end_date: First UTC day beyond; None likewise.
        min_ratings: How many ratings to wait for, at least 1.
        **kwargs: Arguments of BaseSensorOperator: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail``, …
    """

    template_fields: Sequence[str] = ("conn_id", "_start_date", "_end_date", "min_ratings")

    def __init__(
        self,
        *,
        conn_id: str = MovielensHook.default_conn_name,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        min_ratings: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._start_date = start_date
        self._end_date = end_date
        self.min_ratings = min_ratings

    def execute(self, context: Context) -> Any:
        """Wait; see BaseSensorOperator."""
        # Around, not inside, `poke`: there `soft_fail` would turn a failure into a skip.
        with clear_failures():
            return super().execute(context)

    def poke(self, context: Context) -> bool:
        """Look once."""
        from airflow_movielens.window import resolve_window

        window = resolve_window(context, self._start_date, self._end_date)
        wanted = whole_number("min_ratings", self.min_ratings)
        try:
            with MovielensHook(self.conn_id) as hook:
                count = hook.client.count_ratings(window.start, window.end)
        except RetryableError as error:
            self.log.warning("The API cannot be asked now, waiting on: %s", error)
            return False
        self.log.info("Found %d ratings in %s, waiting for %d", count, window, wanted)
        return count >= wanted
