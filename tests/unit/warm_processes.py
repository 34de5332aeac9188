"""Processes that start at once: forks of one that has already imported the slow modules."""

from __future__ import annotations

from multiprocessing import get_context

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "hypothesis",
        "numpy",
        "polars",
        "requests",
        "airflow_movielens.client.fetch",
        "airflow_movielens.recommending.registry",
        "movielens_api.server",
        "movielens_api.bootstrap",
    ]
)
