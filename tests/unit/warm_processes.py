"""Processes of their own that start at once: forked from one that has imported what takes long, and run nothing."""

from __future__ import annotations

from multiprocessing import get_context

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "hypothesis",
        "polars",
        "requests",
        "airflow_movielens.client.fetch",
        "movielens_api.server",
        "movielens_api.bootstrap",
    ]
)
