"""The window of a run for every context and every pair of bounds."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pandas as pd
import pendulum
import pytest
from airflow.sdk import DAG, TaskGroup

from airflow_movielens.book import MovielensSensorAsync
from airflow_movielens.client import FatalError
from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensPopularityOperator
from airflow_movielens.window import resolve_window

NEW_YORK, TOKYO, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def context(**values):
    """Return the context of a run that is created years after its days, as by a backfill, unless it has no date."""
    run_after = utc(2029, 3, 4, 9, 30) if values.get("logical_date") else utc(2026, 11, 22, 9, 30)
    return {"dag_run": SimpleNamespace(run_after=run_after)} | values


def interval(start, end):
    return context(data_interval_start=start, data_interval_end=end, logical_date=start)


RUNS = {
    "data interval of a day": (interval(utc(2026, 11, 21), utc(2026, 11, 22)), "2026-11-21", "2026-11-22"),
    "data interval of a week": (interval(utc(2026, 11, 15), utc(2026, 11, 22)), "2026-11-15", "2026-11-22"),
    "hourly: its day": (interval(utc(2026, 11, 21, 13), utc(2026, 11, 21, 14)), "2026-11-21", "2026-11-22"),
    "last hour: its day": (interval(utc(2026, 11, 21, 23), utc(2026, 11, 22)), "2026-11-21", "2026-11-22"),
    "a day in New York: the two UTC days it touches": (
        interval(datetime(2026, 11, 21, tzinfo=NEW_YORK), datetime(2026, 11, 22, tzinfo=NEW_YORK)), "2026-11-21", "2026-11-23"),
    "a day in Tokyo: the two UTC days it touches": (
        interval(datetime(2026, 11, 21, tzinfo=TOKYO), datetime(2026, 11, 22, tzinfo=TOKYO)), "2026-11-20", "2026-11-22"),
    "the 25 hours of a day in Berlin": (
        interval(datetime(2026, 10, 25, tzinfo=BERLIN), datetime(2026, 10, 26, tzinfo=BERLIN)), "2026-10-24", "2026-10-26"),
    "@daily: equal bounds": (interval(utc(2026, 11, 22), utc(2026, 11, 22)), "2026-11-21", "2026-11-22"),
    "cron at noon: equal bounds": (interval(utc(2026, 11, 22, 12), utc(2026, 11, 22, 12)), "2026-11-21", "2026-11-22"),
    "manual with a logical date": (context(logical_date=utc(2026, 11, 22, 15)), "2026-11-21", "2026-11-22"),
    "manual without one": (context(logical_date=None), "2026-11-21", "2026-11-22"),
    "asset-triggered": (context(), "2026-11-21", "2026-11-22"),
    "partition": (context(partition_key="2026-11-20", partition_date=utc(2026, 11, 20)), "2026-11-20", "2026-11-21"),
    "partition of a Dag in Tokyo": (
        context(partition_key="2026-11-20", partition_date=utc(2026, 11, 19, 15)), "2026-11-20", "2026-11-21"),
    "partition whose key is a moment": (
        context(partition_key="2026-11-20T00:00:00", partition_date=utc(2026, 11, 20)), "2026-11-20", "2026-11-21"),
    "partition of an hour in Tokyo: the key's day": (
        context(partition_key="2026-11-20T03", partition_date=utc(2026, 11, 19, 18)), "2026-11-20", "2026-11-21"),
    "partition of a day and a region": (context(partition_key="2026-11-20/emea"), "2026-11-20", "2026-11-21"),
    "partition whose key names no day": (
        context(partition_key="2026-11", partition_date=utc(2026, 11, 1)), "2026-11-01", "2026-11-02"),
    "manual run of an event": (
        interval(utc(2026, 11, 20, 18), utc(2026, 11, 20, 18)) | {"logical_date": utc(2026, 11, 22, 9)}, "2026-11-19", "2026-11-20"),
    "triggered by a command for a day long gone": (
        interval(utc(2026, 11, 22, 9), utc(2026, 11, 22, 9)) | {"logical_date": utc(2015, 1, 4)}, "2015-01-03", "2015-01-04"),
    "partition on Airflow 3.2": (
        {"dag_run": SimpleNamespace(run_after=utc(2026, 11, 25), partition_key="2026-11-20")}, "2026-11-20", "2026-11-21"),
    "asset-triggered with a partition key": (context(partition_key="2026-11-20"), "2026-11-20", "2026-11-21"),
}  # fmt: skip


@pytest.mark.parametrize(("run", "start", "end"), RUNS.values(), ids=RUNS.keys())
def test_a_run_without_dates_has_a_window(run, start, end):
    window = resolve_window(run, None, None)
    assert (str(window.start), str(window.end)) == (start, end)


def test_given_days_override_the_run():
    run = RUNS["data interval of a day"][0]
    for given in (("2015-01-02", "2015-01-05"), (date(2015, 1, 2), date(2015, 1, 5))):
        window = resolve_window(run, *given)
        assert (window.start, window.end) == (date(2015, 1, 2), date(2015, 1, 5))


OWN = {
    "default_args of the Dag": ({"default_args": {"start_date": datetime(2019, 1, 1)}}, {}, {}),
    "of a Dag in Tokyo": ({"default_args": {"start_date": datetime(2019, 1, 1, tzinfo=TOKYO)}}, {}, {}),
    "naive, in a Dag in Tokyo": (
        {"start_date": datetime(2018, 1, 1, tzinfo=TOKYO), "default_args": {"start_date": datetime(2019, 1, 1)}}, {}, {}),
    "text": ({"default_args": {"start_date": "2019-01-01", "end_date": "2029-01-01"}}, {}, {}),
    "both": ({"default_args": {"start_date": utc(2019, 1, 1, 7), "end_date": utc(2029, 1, 1)}}, {}, {}),
    "default_args of a task group": ({}, {"start_date": datetime(2019, 1, 1), "end_date": datetime(2029, 1, 1, 5)}, {}),
    "default_args of the task": ({}, {}, {"start_date": datetime(2019, 1, 1), "end_date": utc(2029, 1, 1)}),
    "one of them": ({}, {}, {"end_date": pendulum.datetime(2029, 1, 1)}),
    # Airflow uses the Dag's dates for the task, but passes the values of default_args.
    "outside the Dag's dates": (
        {"start_date": utc(2020, 1, 1), "end_date": utc(2028, 1, 1)}, {},
        {"start_date": datetime(2019, 1, 1), "end_date": datetime(2029, 1, 1)}),
    "in all three": (
        {"default_args": {"start_date": utc(2020, 1, 1)}}, {"start_date": utc(2019, 1, 1)},
        {"start_date": utc(2018, 1, 1), "end_date": utc(2029, 1, 1)}),
}  # fmt: skip


@pytest.mark.parametrize("is_mapped", [False, True])
@pytest.mark.parametrize("dates", OWN.values(), ids=OWN.keys())
@pytest.mark.parametrize("operator", [MovielensFetchRatingsOperator, MovielensSensorAsync])
def test_the_dates_in_default_args_are_not_the_window(operator, dates, is_mapped, caplog):
    dag_options, group_args, task_args = dates
    own = {"default_args": task_args, "conn_id": "movielens"}
    options = {"output_path": "-"} if operator is MovielensFetchRatingsOperator else {"min_ratings": 2}
    with DAG("d", schedule=None, **dag_options), TaskGroup("outer", default_args=group_args), TaskGroup("inner"):
        if is_mapped:
            mapped = operator.partial(task_id="t", **own).expand(**{name: [value] for name, value in options.items()})
            task = mapped.unmap(options)
        else:
            task = operator(task_id="t", **own, **options)
    run = RUNS["data interval of a day"][0] | {"task": task}
    with caplog.at_level(logging.WARNING):
        assert str(resolve_window(run, task._start_date, task._end_date)) == "[2026-11-21, 2026-11-22)"
    assert not caplog.messages


SAME = {"start_date": utc(2015, 1, 2), "end_date": utc(2015, 1, 5)}


@pytest.mark.parametrize("dag_options", [SAME, {"default_args": SAME}], ids=["the Dag's", "its default_args"])
@pytest.mark.parametrize("is_mapped", [False, True])
def test_a_bound_that_equals_the_dags_own_date_counts(dag_options, is_mapped):
    given = {"start_date": datetime(2015, 1, 2), "end_date": datetime(2015, 1, 5)}
    with DAG("d", schedule=None, **dag_options):
        if is_mapped:
            options = {**given, "output_path": "-"}
            task = MovielensFetchRatingsOperator.partial(task_id="t").expand_kwargs([options]).unmap(options)
        else:
            task = MovielensFetchRatingsOperator(task_id="t", output_path="-", **given)
    assert str(resolve_window(context(), task._start_date, task._end_date)) == "[2015-01-02, 2015-01-05)"


@pytest.mark.parametrize("operator", [MovielensFetchRatingsOperator, MovielensPopularityOperator, MovielensSensorAsync])
@pytest.mark.parametrize("bound", [datetime(2015, 1, 2), "2015-01-02"])
def test_partial_refuses_a_bound(operator, bound):
    with DAG("d", schedule=None), pytest.raises(FatalError, match=r"end_date given to partial\(\).*expand_kwargs"):
        operator.partial(task_id="t", start_date=None, end_date=bound)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2015, 1, 2), datetime(2015, 1, 5)),
        (datetime(2015, 1, 2, 9, tzinfo=TOKYO), utc(2015, 1, 5)),
        (pendulum.datetime(2015, 1, 2), pendulum.date(2015, 1, 5)),
        (pd.Timestamp("2015-01-02"), pd.Timestamp("2015-01-05T01:00", tz="Europe/Berlin")),
        ("2015-01-02T00:00:00+00:00", " 2015-01-05 00:00:00+00:00 "),
        (utc(2015, 1, 2), "2015-01-05"),
    ],
)
def test_a_midnight_is_its_utc_day(start, end):
    assert str(resolve_window({}, start, end)) == "[2015-01-02, 2015-01-05)"


def test_a_context_without_a_run_has_no_window():
    with pytest.raises(FatalError, match=r"the context has no run .*give start_date and end_date"):
        resolve_window({}, None, None)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2015-01-02", None, "only one bound is given"),
        (None, "2015-01-02", "only one bound is given"),
        (datetime(2019, 1, 1), None, "only one bound is given"),
        ("2015-01-02", "2015-01-02", "has no length .*CronDataIntervalTimetable"),
        ("2015-01-03", "2015-01-02", "is reversed .*CronDataIntervalTimetable"),
        ("2015-02-30", "2015-03-01", "start_date '2015-02-30' is not a day"),
        ("2015-02-01", "soon", "end_date 'soon' is not a day"),
        ("", "2015-02-01", "start_date '' is not a day"),
        ("2015-02-01T05:00:00+00:00", "2015-03-01", "start_date 2015-02-01T05.* is not a midnight in UTC.*YYYY-MM-DD"),
        (utc(2015, 2, 1, 5), "2015-03-01", "is not a midnight in UTC"),
        (datetime(2015, 2, 1, tzinfo=TOKYO), "2015-03-01", "is not a midnight in UTC"),
        (datetime(1, 1, 1, tzinfo=TOKYO), "2015-03-01", "outside the calendar"),
        ("20150201", "2015-03-01", "start_date '20150201' is not a day"),
        ("2015-2-1", "2015-03-01", "start_date '2015-2-1' is not a day"),
        ("\u0662\u0660\u0661\u0665-\u0660\u0662-\u0660\u0661", "2015-03-01", "is not a day"),
        ("2015-02-01T00:00:00", "2015-03-01", "start_date '2015-02-01T00:00:00' is not a day.*YYYY-MM-DD"),
        (pd.NaT, "2015-03-01", "start_date NaT is not a day"),
        (pd.Timestamp("2015-02-01T00:00:00.000000001"), "2015-03-01", "is not a midnight in UTC"),
        (pd.Period("2015-02-01"), "2015-03-01", r"start_date Period\('2015-02-01', 'D'\) is not a day"),
        (20150201, "2015-03-01", "start_date 20150201 is not a day"),
        ("None", "2015-03-01", "start_date 'None' is not a day"),
    ],
)
def test_a_bad_window_is_refused(start, end, message):
    with pytest.raises(FatalError, match=message):
        resolve_window(context(), start, end)


def test_a_partition_key_that_is_not_a_day_is_refused():
    for key in ("emea", "2026-11", "2026-11-200"):
        with pytest.raises(FatalError, match=f"partition key '{key}' is not a day"):
            resolve_window(context(partition_key=key), None, None)
