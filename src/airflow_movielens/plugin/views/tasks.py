"""The tab on a task instance: how it did its work, and what it wrote."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from airflow_movielens.plugin.outputs import Output, output_of
from airflow_movielens.plugin.partitions.quarantine import read_sample
from airflow_movielens.plugin.rendering import render
from airflow_movielens.plugin.security import TASK_INSTANCE_ACCESS
from airflow_movielens.plugin.source import SourceDep

router = APIRouter()


@router.get("/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/{map_index}/", dependencies=[TASK_INSTANCE_ACCESS])
def task(
    *, request: Request, source: SourceDep, dag_id: str, run_id: str, task_id: str, map_index: str
) -> HTMLResponse:
    """Show what a task instance wrote in its last try, and in earlier ones.

    Args:
        request: The request.
        source: The records that the user may see.
        dag_id: The Dag.
        run_id: The Dag run.
        task_id: The task.
        map_index: The index of a mapped task instance. For any other, Airflow's UI sends the text ``{MAP_INDEX}``.
    """
    instance = (task_id, int(map_index) if map_index.isdecimal() else -1)
    found = source.records_of_run(dag_id, run_id)
    own = [
        record for record in found.records if record.task and (record.task.task_id, record.task.map_index) == instance
    ]
    outputs = [output_of(record, source.catalogue.root) for record in reversed(own)]
    last = outputs[0] if outputs else None
    return render(
        request,
        "task.html",
        earlier=outputs[1:],
        figures=_figures_of_fetch(last) if last else {},
        last=last,
        problems=found.problems,
        root=source.catalogue.root,
        sample=read_sample(last.record.path, source.catalogue.root)
        if last and last.record.facts.get("quarantined")
        else None,
    )


def _figures_of_fetch(output: Output) -> dict[str, Any]:
    """Return the key figures of a fetch by their names; empty if they are not recorded, or for another task."""
    facts, fetch = output.record.facts, output.record.facts.get("fetch")
    if fetch is None:
        return {}
    try:
        received = facts["rows"] + facts["quarantined"] - fetch["resumed_rows"]
        return {
            "Ratings": facts["rows"],
            "Quarantined": facts["quarantined"],
            "Pages": fetch["pages"],
            "Seconds": fetch["seconds"],
            "Ratings per second": received / fetch["seconds"] if fetch["seconds"] else None,
            "Requests repeated": fetch["requests_repeated"],
            "Resumed from row": fetch["resumed_rows"] or None,
        }
    except LookupError:
        return {}
