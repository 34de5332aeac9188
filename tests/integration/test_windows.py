"""The table of windows, with runs that Airflow creates by its scheduler, backfills, API, command line and asset events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from integration.airflow_runs import AirflowRuns
from integration.timetables import COMMAND_LINE, EVENT, GROUPS, MANUAL, SCHEDULED, WITHOUT_DATE
from packaging.version import Version

ROWS = [row for rows in GROUPS.values() for row in rows]
IDS = {row: f"window_{number}" for number, row in enumerate(ROWS)}
NEVER_BACKFILLED = {'"@once"', '"@continuous"'}
TEMPLATES = {"start_date": "{{ data_interval_start | ds }}", "end_date": "{{ data_interval_end | ds }}"}
OTHER_SCHEDULE = "DeltaDataIntervalTimetable(timedelta(hours=7))"


def utc(moment):
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


def expected(row):
    end = datetime.fromisoformat(row.last or row.first) + timedelta(days=1)
    return f"[{row.first}, {end:%Y-%m-%d})"


def parameters(rows):
    return [pytest.param(row, id=f"{row.schedule}, {row.run}", marks=pytest.mark.airflow(row.airflow)) for row in rows]


def start_date(row):
    return utc(row.moment or "2024-11-20") - row.look_back


def end_date(row):
    return utc(row.moment) if row.moment else None


@pytest.fixture(scope="module")
def runs(airflow, airflow_version):
    """Airflow with a Dag for each row, which has run as the row describes."""
    from airflow import sdk

    runs = AirflowRuns()
    rows = [row for row in ROWS if airflow_version >= Version(row.airflow)]
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
        # A continuous run ends when the scheduler creates it.
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
        key = {"partition_key": row.key} if row.key else {}
        return runs.trigger(dag_id, run_after=moment, **key)
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
def test_a_run_has_the_window_of_its_row(runs, row):
    assert runs.run(runs.made[row]) == expected(row)


def test_templates_give_the_days_of_the_interval(runs):
    assert runs.run(runs.trigger("templates", logical_date=utc("2024-11-20 15:00"))) == "[2024-11-19, 2024-11-20)"


@pytest.mark.parametrize(
    ("dag_id", "moment", "message"),
    [
        ("templates_without_length", "2024-11-20 15:00", "the window has no length (start_date=2024-11-20"),
        ("templates", None, "data_interval_start"),
    ],
)
def test_templates_that_give_no_days_fail_with_a_clear_message(runs, capfd, dag_id, moment, message):
    run = runs.trigger(dag_id, logical_date=moment and utc(moment))
    assert runs.run(run) is None
    assert run.get_task_instance("window").state == "failed"
    out, err = capfd.readouterr()
    assert message in out + err


@pytest.mark.parametrize("row", parameters(row for row in ROWS if row.kind == SCHEDULED))
def test_a_backfilled_run_has_the_same_window(runs, row):
    dag_id, moment = f"{IDS[row]}_backfilled", utc(row.moment)
    if not runs.stored(dag_id).timetable.periodic:
        assert row.schedule in NEVER_BACKFILLED
        return
    # Airflow selects the runs of partitions by the date of the partition, which may be a week before the run.
    runs.backfill(dag_id, start_date(row) - timedelta(days=7 if row.key else 0), moment)
    assert runs.run(the_run(runs.runs(dag_id), row, "backfill")) == expected(row)


@pytest.fixture(scope="module")
def rescheduled(runs):
    """The same runs, after every Dag was given another schedule."""
    for row in runs.made:
        runs.add(IDS[row], OTHER_SCHEDULE)
    runs.save()
    return runs


@pytest.mark.parametrize("row", parameters(ROWS))
def test_a_run_cleared_after_a_change_of_its_schedule_has_the_same_window(rescheduled, row):
    run = rescheduled.made[row]
    rescheduled.clear(run)
    assert rescheduled.run(run) == expected(row)
