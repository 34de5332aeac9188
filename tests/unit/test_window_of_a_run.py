"""DESIGN's table of windows, row by row."""

import logging
from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from airflow_movielens.client import FatalError
from airflow_movielens.window import resolve_window

NEW_YORK, TOKYO, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def context(**values):
    """Of a run that is made years after its days, by a backfill or a clear, unless it has no date of its own."""
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
def test_a_run_without_dates_tells_its_window(run, start, end):
    window = resolve_window(run, None, None)
    assert (str(window.start), str(window.end)) == (start, end)


def test_given_days_come_first():
    run = RUNS["data interval of a day"][0]
    for given in (("2015-01-02", "2015-01-05"), (date(2015, 1, 2), date(2015, 1, 5))):
        window = resolve_window(run, *given)
        assert (window.start, window.end) == (date(2015, 1, 2), date(2015, 1, 5))


@pytest.mark.parametrize("moment", [datetime(2019, 1, 1), datetime(2019, 1, 1, tzinfo=timezone(timedelta(hours=1)))])
def test_a_datetime_is_not_the_window_but_perhaps_the_dags_own(moment, caplog):
    with caplog.at_level(logging.WARNING):
        window = resolve_window(RUNS["data interval of a day"][0], moment, None)
    assert str(window) == "[2026-11-21, 2026-11-22)"
    (warning,) = caplog.messages
    assert "Ignoring start_date=2019-01-01" in warning
    assert "pass 'YYYY-MM-DD' or a date" in warning
    resolve_window(RUNS["data interval of a day"][0], moment, moment)
    (_, warning) = caplog.messages
    assert f"Ignoring start_date={moment} and end_date={moment}, " in warning


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2015-01-02", None, "only one bound is given"),
        (None, "2015-01-02", "only one bound is given"),
        (datetime(2019, 1, 1), "2015-01-02", "only one bound is given"),
        ("2015-01-02", "2015-01-02", "has no length .*CronDataIntervalTimetable"),
        ("2015-01-03", "2015-01-02", "is reversed .*CronDataIntervalTimetable"),
        ("2015-02-30", "2015-03-01", "start_date '2015-02-30' is not a day"),
        ("2015-02-01", "soon", "end_date 'soon' is not a day"),
        ("", "2015-02-01", "start_date '' is not a day"),
        (
            "2015-02-01T00:00:00+00:00",
            "2015-03-01",
            "start_date '2015-02-01T00:00:00[+]00:00' is not a day",
        ),  # {{ ts }}
        ("2015-02-01", "2015-03-01 ", "end_date '2015-03-01 ' is not a day"),
    ],
)
def test_a_bad_window_is_refused(start, end, message):
    with pytest.raises(FatalError, match=message):
        resolve_window(context(), start, end)


def test_a_partition_key_that_is_no_day_is_refused():
    for key in ("emea", "2026-11", "2026-11-200"):
        with pytest.raises(FatalError, match=f"partition key '{key}' is not a day"):
            resolve_window(context(partition_key=key), None, None)
