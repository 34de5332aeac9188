"""The table of windows, with runs that Airflow makes: its scheduler, backfills, API, command line and asset events."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from integration.airflow_runs import AirflowRuns
from integration.timetables import COMMAND_LINE, EVENT, GROUPS, MANUAL, SCHEDULED, WITHOUT_DATE
from packaging.version import Version

ROWS = [row for rows in GROUPS.values() for row in rows]
IDS = {row: f"window_{number}" for number, row in enumerate(ROWS)}
# What there is not in 3.1; 3.2 has keys, but no dates of partitions.
NEEDS = {r"Partitioned|%Y%m%d|%Y-%m\b(?!-)": "3.3", "Partition": "3.2", "": "3.1"}
# Whatever the schedule, its first run is not the one that the row is about.
LOOK_BACK = {
    "@once": timedelta(0),
    'hourly|"0 [*]': timedelta(hours=2),
    'weekly|[*] 0"': timedelta(days=14),
    "monthly|1 [*]": timedelta(days=62),
    "": timedelta(days=2),
}
NEVER_BACKFILLED = {'"@once"', '"@continuous"'}
TEMPLATES = {"start_date": "{{ data_interval_start | ds }}", "end_date": "{{ data_interval_end | ds }}"}
OTHER_SCHEDULE = "DeltaDataIntervalTimetable(timedelta(hours=7))"


def utc(moment):
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


def expected(row):
    end = datetime.fromisoformat(row.last or row.first) + timedelta(days=1)
    return f"[{row.first}, {end:%Y-%m-%d})"


def needs(row):
    return next(version for pattern, version in NEEDS.items() if re.search(pattern, row.schedule))


def parameters(rows):
    return [pytest.param(row, id=f"{row.schedule}, {row.run}", marks=pytest.mark.airflow(needs(row))) for row in rows]


def start_date(row):
    moment = utc(row.moment or "2024-11-20")
    return moment - next(back for pattern, back in LOOK_BACK.items() if re.search(pattern, row.schedule))


def end_date(row):
    return utc(row.moment) if row.moment else None


@pytest.fixture(scope="module")
def runs(airflow, airflow_version):
    """Airflow with a Dag for each row, which has run as the row says."""
    from airflow import sdk

    runs = AirflowRuns()
    rows = [row for row in ROWS if airflow_version >= Version(needs(row))]
    for row in rows:
        dag_id = IDS[row]
        if row.kind in (SCHEDULED, EVENT):
            runs.add(
                dag_id, row.schedule, start_date=start_date(row), end_date=end_date(row), is_paused_upon_creation=False
            )
        else:
            runs.add(dag_id, row.schedule)
        if row.kind == SCHEDULED:
            runs.add(f"{dag_id}_backfilled", row.schedule)
    runs.add("templates", 'CronDataIntervalTimetable("@daily", timezone="UTC")', arguments=TEMPLATES)
    runs.add("templates_without_length", '"@daily"', arguments=TEMPLATES)
    runs.add("rates", "None", outlets=[sdk.Asset("ratings")])
    if airflow_version >= Version("3.3"):
        runs.add("partitions", "PartitionedAtRuntime()", outlets=[sdk.Asset("days")])
    with pytest.MonkeyPatch.context() as patch:
        # The end of a continuous run is when the scheduler looks.
        from airflow.timetables import simple

        clock = SimpleNamespace(utcnow=lambda: utc("2024-11-20 15:00"), coerce_datetime=simple.timezone.coerce_datetime)
        patch.setattr(simple, "timezone", clock)
        runs.save()
    runs.run(runs.trigger("rates"))
    runs.date_events(utc("2024-11-20 15:00"))
    if airflow_version >= Version("3.3"):
        runs.run(runs.trigger("partitions", partition_key="2024-11-19"))
    runs.schedule()
    runs.made = {row: run_of(runs, row) for row in rows}
    return runs


def run_of(runs, row):
    dag_id, moment = IDS[row], utc(row.moment) if row.moment else None
    if row.kind == MANUAL:
        return runs.trigger(dag_id, logical_date=moment)
    if row.kind == WITHOUT_DATE:
        return runs.trigger(dag_id, run_after=moment, partition_key=row.key or None)
    if row.kind == COMMAND_LINE:
        return runs.trigger_by_command(dag_id, moment, made=utc(row.made))
    kind = "asset_triggered" if row.kind == EVENT else "scheduled"
    return the_run(runs.runs(dag_id), row, kind)


def the_run(candidates, row, kind):
    (run,) = [
        run
        for run in candidates
        if run.run_type == kind and (run.partition_key == row.key if row.key else run.run_after == utc(row.moment))
    ]
    return run


@pytest.mark.parametrize("row", parameters(ROWS))
def test_a_run_is_about_the_days_that_the_table_says(runs, row):
    assert runs.run(runs.made[row]) == expected(row)


def test_days_from_templates_are_those_of_the_interval(runs):
    assert runs.run(runs.trigger("templates", logical_date=utc("2024-11-20 15:00"))) == "[2024-11-19, 2024-11-20)"


@pytest.mark.parametrize(
    ("dag_id", "moment", "message"),
    [
        ("templates_without_length", "2024-11-20 15:00", "the window has no length (start_date=2024-11-20"),
        ("templates", None, "data_interval_start"),
    ],
)
def test_templates_that_name_no_days_fail_and_say_so(runs, capfd, dag_id, moment, message):
    run = runs.trigger(dag_id, logical_date=moment and utc(moment))
    assert runs.run(run) is None
    assert run.get_task_instance("window").state == "failed"
    out, err = capfd.readouterr()
    assert message in out + err


@pytest.mark.parametrize("row", parameters(row for row in ROWS if row.kind == SCHEDULED))
def test_a_backfilled_run_is_about_the_same_days(runs, row):
    dag_id, moment = f"{IDS[row]}_backfilled", utc(row.moment)
    if not runs.stored(dag_id).timetable.periodic:
        assert row.schedule in NEVER_BACKFILLED
        return
    runs.backfill(dag_id, start_date(row) - timedelta(days=7 if row.key else 0), moment)
    assert runs.run(the_run(runs.runs(dag_id), row, "backfill")) == expected(row)


@pytest.fixture(scope="module")
def rescheduled(runs):
    """The same runs, when all Dags have got another schedule."""
    for row in runs.made:
        runs.add(IDS[row], OTHER_SCHEDULE)
    runs.save()
    return runs


@pytest.mark.parametrize("row", parameters(ROWS))
def test_a_run_cleared_after_its_dag_got_another_schedule_is_about_the_same_days(rescheduled, row):
    run = rescheduled.made[row]
    rescheduled.clear(run)
    assert rescheduled.run(run) == expected(row)
