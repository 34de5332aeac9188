"""Dags in Airflow's own database, and runs of them as Airflow creates them, but without processes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from airflow_movielens.operators import MovielensFetchRatingsOperator
from airflow_movielens.window import resolve_window

SCHEDULES = ("Timetable", "Schedule", "Runtime", "Mapper")


class ReturnsItsWindow(MovielensFetchRatingsOperator):
    """The operator, which returns its window instead of fetching it."""

    def execute(self, context):
        return str(resolve_window(context, self._start_date, self._end_date))


def schedule_of(expression):
    """Evaluate a schedule as in a Dag's file."""
    from airflow import sdk
    from airflow.timetables.events import EventsTimetable  # the one of airflow.sdk cannot be stored (3.3.2)

    # Where Airflow 3.1 has them.
    modules = [import_module(f"airflow.timetables.{name}") for name in ("assets", "interval", "trigger")]
    names = {name: value for module in modules for name, value in vars(module).items()}
    names |= {name: getattr(sdk, name) for name in sdk.__all__ if name.endswith(SCHEDULES)}
    own = {"datetime": datetime, "timedelta": timedelta, "UTC": UTC, "Asset": sdk.Asset}
    return eval(expression, names | own | {"EventsTimetable": EventsTimetable})


@dataclass
class AirflowRuns:
    """Dags in Airflow's database, and the ways to run them."""

    dags: dict[str, Any] = field(default_factory=dict)
    made: dict[Any, Any] = field(default_factory=dict)

    def add(self, dag_id, schedule, *, outlets=(), arguments=None, **options):
        """Add a Dag of one task. Its default start date also reaches the operator, and must not become the window."""
        from airflow.sdk import DAG

        default_args = {"start_date": options.pop("start_date", datetime(2015, 1, 1, tzinfo=UTC))}
        options["max_active_runs"] = 1 if "continuous" in schedule else 1000
        with DAG(dag_id, schedule=schedule_of(schedule), default_args=default_args, catchup=True, **options) as dag:
            ReturnsItsWindow(task_id="window", output_path="-", outlets=list(outlets), **(arguments or {}))
        dag.fileloc, dag.relative_fileloc = __file__, Path(__file__).name
        self.dags[dag_id] = dag

    def save(self):
        try:
            from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

            bag = DagBag(os.devnull, bundle_name="dags-folder")
        except ImportError:  # Airflow 3.1
            from airflow.models.dagbag import DagBag, sync_bag_to_db

            bag = DagBag(os.devnull)
        for dag in self.dags.values():
            bag.bag_dag(dag)
        sync_bag_to_db(bag, "dags-folder", None)
        assert not bag.import_errors

    def stored(self, dag_id):
        from airflow.models.serialized_dag import SerializedDagModel

        return SerializedDagModel.get_dag(dag_id)

    def runs(self, dag_id):
        from airflow.models.dagrun import DagRun

        return DagRun.find(dag_id=dag_id)

    def schedule(self):
        """Let the scheduler create all runs that are due."""
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from airflow.utils.sqlalchemy import prohibit_commit
        from sqlalchemy import func, select

        scheduler, known = SchedulerJobRunner(Job()), -1
        with create_session() as session:
            while (count := session.scalar(select(func.count(DagRun.id)))) > known:
                known = count
                with prohibit_commit(session) as guard:
                    scheduler._create_dagruns_for_dags(guard, session)

    def command(self, *arguments):
        from airflow.cli import cli_parser

        parsed = cli_parser.get_parser().parse_args(arguments)
        parsed.func(parsed)

    def trigger(self, dag_id, **body):
        """Create a run as Airflow's API and UI do."""
        from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType

        dag = self.stored(dag_id)
        parts = TriggerDAGRunPostBody(**{"logical_date": None, **body}).validate_context(dag)
        parts.pop("note")  # Airflow 3.1 adds it later
        return dag.create_dagrun(
            **parts,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.REST_API,
            state=DagRunState.QUEUED,
        )

    def run(self, run):
        """Run the task of a Dag run in the task runner, and return its window."""
        from airflow.models.dagrun import DagRun
        from airflow.sdk.api.datamodels._generated import TaskInstance
        from airflow.sdk.execution_time.supervisor import run_task_in_process
        from airflow.utils.session import create_session
        from airflow.utils.state import TaskInstanceState
        from sqlalchemy import update

        with create_session() as session:
            session.execute(update(DagRun).where(DagRun.id == run.id).values(start_date=datetime.now(UTC)))
        instance = run.get_task_instance("window")
        instance.set_state(TaskInstanceState.QUEUED)
        fields = {name: getattr(instance, name) for name in TaskInstance.model_fields if hasattr(instance, name)}
        run_task_in_process(TaskInstance(**fields), self.dags[run.dag_id].get_task("window"))
        return run.get_task_instance("window").xcom_pull(task_ids="window")

    def trigger_by_command(self, dag_id, logical_date, made):
        """Create a run at a given moment as `airflow dags trigger` and TriggerDagRunOperator do."""
        from airflow.api.common.trigger_dag import trigger_dag
        from airflow.utils.types import DagRunTriggeredByType

        return trigger_dag(dag_id, logical_date=logical_date, run_after=made, triggered_by=DagRunTriggeredByType.CLI)

    def backfill(self, dag_id, first, last):
        self.command(
            "backfill", "create", "--dag-id", dag_id, "--from-date", first.isoformat(), "--to-date", last.isoformat()
        )

    def clear(self, run):
        """Clear a run, so that it runs on the current version of the Dag."""
        self.stored(run.dag_id).clear(run_id=run.run_id, run_on_latest_version=True)

    def date_events(self, moment):
        """Set the time of the asset events that wait for the scheduler."""
        from airflow.models.asset import AssetDagRunQueue
        from airflow.utils.session import create_session
        from sqlalchemy import update

        with create_session() as session:
            session.execute(update(AssetDagRunQueue).values(created_at=moment))
