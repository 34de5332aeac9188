"""The tab on a Dag run: what the run fetched, ranked, trained, evaluated, promoted and recommended."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from airflow_movielens.plugin.outputs import outputs_by_kind
from airflow_movielens.plugin.rendering import render
from airflow_movielens.plugin.security import RUN_ACCESS
from airflow_movielens.plugin.source import SourceDep

router = APIRouter()


@router.get("/dags/{dag_id}/runs/{run_id}/", dependencies=[RUN_ACCESS])
def run(request: Request, source: SourceDep, dag_id: str, run_id: str) -> HTMLResponse:
    """Show what a Dag run wrote."""
    found = source.records_of_run(dag_id, run_id)
    root = source.catalogue.root
    return render(
        request,
        "run.html",
        dag_id=dag_id,
        groups=outputs_by_kind(found.records, root),
        problems=found.problems,
        root=root,
        run_id=run_id,
    )
