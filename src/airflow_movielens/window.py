"""The window of a run: from Airflow's context to ``[start, end)`` in whole UTC days.

The only place that knows timetables. The same run gives the same window on every retry, backfill and clear.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_movielens.client import FatalError, Window, parse_day

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.definitions.mappedoperator import MappedOperator

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
# "2024-11-20", "2024-11-20T13:00:00", "2024-11-18 (W47)": the day as the key has it, whatever the time zone.
_DAY_OF_KEY = re.compile(r"\d{4}-\d\d-\d\d(?!\d)", re.ASCII)
_MEND = (
    "give a start_date that lies before end_date. If both come from templates such as data_interval_start: in "
    "Airflow 3 '@daily' and cron strings give an interval of no length; schedule the Dag with "
    "CronDataIntervalTimetable or a partition timetable, or leave start_date and end_date out"
)


def resolve_window(
    context: Context,
    start_date: str | date | None,
    end_date: str | date | None,
    task: BaseOperator | MappedOperator | None = None,
) -> Window:
    """Tell which days a run is about.

    Args:
        context: Airflow's context of the running task.
        start_date: First day (``YYYY-MM-DD``, a date or a midnight in UTC), or None to derive it from the run. A
            ``datetime`` that is the Dag's or the task's own start date is ignored: ``default_args`` pass it here.
        end_date: First day no longer wanted, likewise.
        task: The running task; None to take it from the context.

    Returns:
        A window of at least one day.

    Raises:
        FatalError: Only one bound is given, one is no day, they are equal or reversed, or neither the bounds nor the
            context tell the days.
    """
    task = task or context.get("task")
    start = _given_day(task, "start_date", start_date)
    end = _given_day(task, "end_date", end_date)
    if start is None and end is None:
        return _window_of_run(context)
    if start is None or end is None:
        raise FatalError(
            f"only one bound is given (start_date={start}, end_date={end}): give both or none. "
            "A datetime that is the Dag's own start or end date does not count: give that day as YYYY-MM-DD"
        )
    if start >= end:
        what = "has no length" if start == end else "is reversed"
        raise FatalError(f"the window {what} (start_date={start}, end_date={end}): {_MEND}")
    return Window(start, end)


def _given_day(task: BaseOperator | MappedOperator | None, name: str, value: str | date | None) -> date | None:
    if value is None or (isinstance(value, datetime) and _aware(value) in _own_dates(task, name)):
        return None
    return parse_day(value, name)


def _own_dates(task: BaseOperator | MappedOperator | None, name: str) -> list[datetime]:
    """The dates of this name that a task's Dag, its task groups and the task itself have, as Airflow injects them."""
    if task is None:
        return []
    dates: list[Any] = [getattr(task, name, None)]
    dag = task.get_dag()
    if dag is not None:
        dates += [getattr(dag, name, None), (dag.default_args or {}).get(name)]
    group = task.task_group
    while group is not None:
        dates.append((group.default_args or {}).get(name))
        group = group.parent_group
    return [_aware(moment) for moment in dates if isinstance(moment, datetime)]


def _aware(moment: datetime) -> datetime:
    from airflow.sdk import timezone

    # A time zone is missing in the default_args of a task group: Airflow means its default time zone then.
    return timezone.convert_to_utc(moment) if moment.tzinfo is None else moment


def _window_of_run(context: Context) -> Window:
    day = _partition_day(context)
    if day is not None:
        return Window(day, day + _DAY)
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is not None and end is not None and start < end:
        return Window(_utc_day(start), _utc_day(end - timedelta(microseconds=1)) + _DAY)
    # They differ in manual runs: of events, the event counts; triggered by a command, the date that was given.
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
        # Airflow 3.2 has it here only, and no date.
        key = getattr(context.get("dag_run"), "partition_key", None)
    if key is None:
        return None
    named = _DAY_OF_KEY.match(key)
    if named or instant is None:
        return parse_day(named[0] if named else key, "partition key")
    day = _utc_day(instant)
    log.warning("The partition key %r names no day: taking %s, the UTC day of the partition's date", key, day)
    return day


def _utc_day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
