"""Which runs get a deadline, in runs that Airflow creates by its scheduler, a backfill, its API and asset events."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, time, timedelta
from pkgutil import resolve_name

import pytest
from integration.airflow_runs import AirflowRuns

from airflow_movielens.deadlines import PartitionDeadline, log_missed_deadline

pytestmark = [pytest.mark.airflow("3.2")]

DAY = timedelta(days=1)
TODAY = datetime.now(UTC).date()
DAYS = [TODAY - number * DAY for number in range(5, 0, -1)]
YESTERDAY = DAYS[-1]
HOURS = timedelta(hours=30)
DAILY = 'CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d")'


def alert(**options):
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert

    return DeadlineAlert(PartitionDeadline(**options), HOURS, AsyncCallback(log_missed_deadline))


def midnight(day):
    return datetime.combine(day, time(), UTC)


def deadlines(dag_id):
    """Return the deadline of each partition that has one."""
    from airflow.models.dagrun import DagRun
    from airflow.models.deadline import Deadline
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = select(DagRun.partition_key, Deadline.deadline_time).join(Deadline, Deadline.dagrun_id == DagRun.id)
        return dict(session.execute(rows.where(DagRun.dag_id == dag_id)).all())


@pytest.fixture(scope="module")
def runs(airflow, airflow_version):
    """Dags with a deadline, and the runs of their schedules."""
    from airflow.sdk import Asset

    # A Dag's first run is of the day before its start date.
    runs, due = AirflowRuns(), {"start_date": midnight(DAYS[1]), "is_paused_upon_creation": False}
    fetched = Asset("fetched_days")
    runs.add("due_daily", DAILY, outlets=[fetched], deadline=alert(), **due)
    runs.add("due_when_old", DAILY, deadline=alert(max_age=100 * DAY), **due)
    runs.add("due_backfilled", DAILY, deadline=alert())
    runs.add("due_after_asset", 'PartitionedAssetTimetable(assets=Asset("fetched_days"))', deadline=alert(), **due)
    runs.add("due_by_key", 'PartitionedAssetTimetable(assets=Asset("other_days"))', deadline=alert())
    runs.save()
    return runs


@pytest.fixture(scope="module")
def scheduled(runs):
    runs.schedule()
    return runs


def test_a_scheduled_day_is_due_an_interval_after_its_partition_date(scheduled):
    assert {run.partition_key for run in scheduled.runs("due_daily")} == set(map(str, DAYS))
    assert deadlines("due_daily") == {str(YESTERDAY): midnight(YESTERDAY) + HOURS}


def test_a_greater_age_gives_deadlines_to_older_days(scheduled):
    assert deadlines("due_when_old") == {str(day): midnight(day) + HOURS for day in DAYS}


def test_old_days_of_a_backfill_have_no_deadline_and_the_log_says_why(runs, caplog):
    with caplog.at_level(logging.INFO):
        runs.backfill("due_backfilled", midnight(DAYS[0]), midnight(TODAY))
    assert {run.partition_key for run in runs.runs("due_backfilled")} >= set(map(str, DAYS))
    assert deadlines("due_backfilled").keys() - {str(TODAY)} == {str(YESTERDAY)}
    assert f"has no deadline: {DAYS[0]} was more than 2 days, 0:00:00 (max_age) ago" in caplog.text


def test_a_day_that_an_asset_reports_is_due_by_its_key(scheduled):
    (run,) = [run for run in scheduled.runs("due_daily") if run.partition_key == str(YESTERDAY)]
    scheduled.run(run)
    scheduled.schedule()
    assert deadlines("due_after_asset") == {str(YESTERDAY): midnight(YESTERDAY) + HOURS}


def test_a_missed_deadline_calls_back_with_the_day(scheduled, caplog):
    from airflow.models.deadline import Deadline
    from airflow.utils.session import create_session
    from sqlalchemy import select

    async def run(trigger):
        return [event.payload["state"] async for event in trigger.run()]

    oldest = select(Deadline).where(Deadline.dagrun.has(dag_id="due_when_old", partition_key=str(DAYS[0])))
    with create_session() as session:
        deadline = session.scalars(oldest).one()
        # As the scheduler does, and the triggerer after it.
        deadline.handle_miss(session)
        stored = deadline.callback.trigger
        trigger = resolve_name(stored.classpath)(**stored.kwargs)
    assert asyncio.run(run(trigger)) == ["running", "success"]
    due = f"{DAYS[0]} has not landed: due_when_old missed its deadline of {DAYS[1]} 06:00 UTC by "
    assert [message for message in caplog.messages if message.startswith(due)]


@pytest.mark.parametrize(
    ("key", "reason"),
    [("nl", "partition key 'nl' is not a day"), (None, "it is a run without a partition")],
)
def test_a_run_without_a_day_has_no_deadline_and_the_log_says_why(runs, key, reason, caplog):
    with caplog.at_level(logging.WARNING):
        run = runs.trigger("due_by_key", run_after=datetime.now(UTC), partition_key=key)
    assert run.partition_key == key
    assert deadlines("due_by_key") == {}
    assert [record for record in caplog.messages if reason in record and "has no deadline" in record]
