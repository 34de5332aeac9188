"""``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from starlette.responses import Response

from movielens_api.http import problems
from movielens_api.http.pages import Health, Readiness
from movielens_api.http.parameters import NoParameters
from movielens_api.http.read_route import ReadRoute
from movielens_api.observability.metrics import Metrics
from movielens_api.recommendations.champion import Champion, Served
from movielens_api.store import Store


def health_router(unready: Callable[[], str | None], champion: Champion | None) -> APIRouter:
    """Return the routes of the health checks, which need no credentials.

    Args:
        unready: Returns why the server cannot serve ratings now, or None if it can.
        champion: The model that recommends movies, if any.
    """
    routes = APIRouter(tags=["operation"], route_class=ReadRoute)

    @routes.get("/healthz", summary="Show that the server is up", responses=problems.responses())
    async def healthz() -> Health:
        """For monitoring. Needs no credentials."""
        return Health(status="ok")

    @routes.get(
        "/readyz",
        summary="Show that the server can serve",
        response_model_exclude_none=True,
        responses=problems.responses(503),
    )
    async def readyz() -> Readiness:
        """For load balancers. Needs no credentials. A server without a usable model is ready: it serves ratings."""
        if reason := unready():
            raise HTTPException(503, reason, headers={"Retry-After": "1"})
        served = champion.served if champion else Served()
        return Readiness(status="ok", model=served.version, problem=served.problem)

    return routes


class Exposition(Response):
    """Metrics in the text format of Prometheus. As a class, so that the OpenAPI document names the media type."""

    media_type = Metrics.media_type


def metrics_router(metrics: Metrics, store: Store) -> APIRouter:
    """Return the route of the metrics.

    Args:
        metrics: The metrics to show.
        store: The store whose ratings are counted, as of now, even if this process has not read them yet.
    """
    routes = APIRouter(tags=["operation"], route_class=ReadRoute)

    @routes.get(
        "/metrics",
        summary="Count what the server does",
        response_class=Exposition,
        responses=problems.responses(401, 422),
    )
    async def show_metrics(_query: Annotated[NoParameters, Query()]) -> Response:
        """Requests, times, bytes, ratings, memory: for Prometheus."""
        # Metrics should be available even if the store cannot be read.
        with suppress(sqlite3.Error):
            await store.current()
        return Exposition(metrics.exposition())

    return routes
