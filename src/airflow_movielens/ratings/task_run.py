"""The task instance of Airflow that wrote a file, as manifests name it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One try of a task instance.

    Attributes:
        dag_id: The Dag.
        run_id: Its run.
        task_id: The task.
        map_index: The index of a mapped task; -1 for any other task, as in Airflow.
        try_number: Which try it is, from 1.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
