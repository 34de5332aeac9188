"""Run tasks of a Dag in processes of their own, below Airflow's supervisor, as executors do: `… DAG TASK TASK…`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from airflow.executors.workloads import ExecuteTask
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk.execution_time import supervisor
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from integration.tasks_api import start_tasks_api


def make_run(dag_id):
    now = datetime.now(UTC)
    return SerializedDagModel.get_dag(dag_id).create_dagrun(
        run_id=f"supervised__{now.isoformat()}",
        logical_date=now,
        data_interval=(now, now),
        run_after=now,
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.TEST,
        state=DagRunState.RUNNING,
    )


def queued(run, task_id):
    """Queue a task, as the scheduler does, and return what an executor gets."""
    with create_session() as session:
        instance = run.get_task_instance(task_id, session=session)
        instance.state = TaskInstanceState.QUEUED
        session.flush()
        return ExecuteTask.make(instance)


def main(dag_id, *task_ids):
    start_tasks_api()
    run = make_run(dag_id)
    supervise = getattr(supervisor, "supervise_task", None) or supervisor.supervise
    for task_id in task_ids:
        workload = queued(run, task_id)
        supervise(
            ti=workload.ti,
            bundle_info=workload.bundle_info,
            dag_rel_path=workload.dag_rel_path,
            token="",
            client=supervisor.InProcessTestSupervisor._api_client(),
            subprocess_logs_to_stdout=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
