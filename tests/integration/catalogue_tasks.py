"""Tasks whose operators record what they do in a catalogue."""

from __future__ import annotations

from types import SimpleNamespace

from airflow_movielens.operators import MovielensFetchRatingsOperator, MovielensRankMoviesOperator
from airflow_movielens.storage.catalogue import TaskRun

TASK = TaskRun("movielens", "manual__1", "a_task", 3, 2)
CONTEXT = {"ti": SimpleNamespace(dag_id="movielens", run_id="manual__1", task_id="a_task", map_index=3, try_number=2)}
WINDOW = {"start_date": "2000-11-20", "end_date": "2000-11-21"}


def fetch(path, **arguments):
    return MovielensFetchRatingsOperator(task_id="fetch", output_path=path, **WINDOW | arguments).execute(CONTEXT)


def rank(input_path, output_path, **arguments):
    operator = MovielensRankMoviesOperator(
        task_id="rank", input_path=input_path, output_path=output_path, method="bayesian", **arguments
    )
    return operator.execute(CONTEXT)
