"""The window of a run: from Airflow's context to ``[start, end)`` in whole UTC days.

This is the only module that knows timetables. The same run has the same window on every retry, backfill and clear.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_movielens.client import FatalError, Window, parse_day

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
# "2024-11-20", "2024-11-20T13:00:00", "2024-11-18 (W47)": the day as the key has it, whatever the time zone.
_DAY_OF_KEY = re.compile(r"\d{4}-\d\d-\d\d(?!\d)", re.ASCII)
_FIX = (
    "give a start_date that lies before end_date. If both come from templates such as data_interval_start: in "
    "Airflow 3 '@daily' and cron strings give an interval of no length; schedule the Dag with "
    "CronDataIntervalTimetable or a partition timetable, or leave start_date and end_date out"
)


class WindowMixin:
    """A mixin for operators whose arguments ``start_date`` and ``end_date`` are the bounds of a window.

    Airflow has arguments of the same names, the task's own dates. It fills both from ``default_args``, and passes the
    task's own dates when it creates a task from a mapped one.
    """

    @classmethod
    def partial(cls, **arguments: Any) -> OperatorPartial:
        """Begin a mapped task; see BaseOperator.

        Raises:
            FatalError: A bound is given here, where Airflow would use it as the task's own date.
        """
        given = [name for name in ("start_date", "end_date") if arguments.get(name) is not None]
        if given:
            raise FatalError(
                f"{' and '.join(given)} given to partial(), where Airflow uses them as the task's own dates: give "
                "the bounds of the window to expand_kwargs()"
            )
        return super().partial(**arguments)  # type: ignore[misc,no-any-return]

    def _given_bound(self: Any, name: str, value: Any, default_args: Mapping[str, Any]) -> Any:
        """Return a bound as its author gave it, or None if it is the very object that Airflow itself passes."""
        dag = self.get_dag()
        known = None if dag is None else dag.task_dict.get(self.task_id)
        own = [default_args.get(name), None if known is self else getattr(known, name, None)]
        return None if any(value is date for date in own) else value


def resolve_window(context: Context, start_date: str | date | None, end_date: str | date | None) -> Window:
    """Return the window of a run.

    Args:
        context: Airflow's context of the running task.
        start_date: First day (``YYYY-MM-DD``, a date or a midnight in UTC), or None to derive it from the run.
        end_date: First day after the window, likewise.

    Returns:
        A window of at least one day.

    Raises:
        FatalError: Only one bound is given, a bound is not a day, the bounds are equal or reversed, or the context has
            no run to derive the window from.
    """
    start = None if start_date is None else parse_day(start_date, "start_date")
    end = None if end_date is None else parse_day(end_date, "end_date")
    if start is None and end is None:
        return _window_of_run(context)
    if start is None or end is None:
        raise FatalError(
            f"only one bound is given (start_date={start}, end_date={end}): give both or none. The object that "
            "default_args hold does not count: give that day as YYYY-MM-DD"
        )
    if start >= end:
        what = "has no length" if start == end else "is reversed"
        raise FatalError(f"the window {what} (start_date={start}, end_date={end}): {_FIX}")
    return Window(start, end)


def _window_of_run(context: Context) -> Window:
    day = _partition_day(context)
    if day is not None:
        return Window(day, day + _DAY)
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is not None and end is not None and start < end:
        return Window(_utc_day(start), _utc_day(end - timedelta(microseconds=1)) + _DAY)
    # They differ in manual runs: for events, the event's date counts; for a triggered run, the date that was given.
    moments = [moment for moment in (context.get("logical_date"), end) if moment is not None]
    if not moments and context.get("dag_run") is None:
        raise FatalError(
            "the context has no run to derive the days from: give start_date and end_date, or run the task in a Dag run"
        )
    last = _utc_day(min(moments) if moments else context["dag_run"].run_after)
    return Window(last - _DAY, last)


def _partition_day(context: Context) -> date | None:
    key, instant = context.get("partition_key"), context.get("partition_date")
    if key is None:
        # Airflow 3.2 has the key only here, and no date.
        key = getattr(context.get("dag_run"), "partition_key", None)
    return None if key is None else partition_day(key, instant)


def partition_day(key: str, instant: datetime | None) -> date:
    """Return the day of a partition.

    Args:
        key: The partition's key. If it begins with a day, that is the day.
        instant: The partition's date, or None if it has none.

    Raises:
        FatalError: The key names no day, and there is no date.
    """
    named = _DAY_OF_KEY.match(key)
    if named or instant is None:
        return parse_day(named[0] if named else key, "partition key")
    day = _utc_day(instant)
    log.warning("The partition key %r names no day: taking %s, the UTC day of the partition's date", key, day)
    return day


def _utc_day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
