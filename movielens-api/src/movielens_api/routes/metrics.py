"""`/metrics`."""

import sqlite3
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from movielens_api import problems
from movielens_api.observation.metrics import Metrics
from movielens_api.parameters import NoParameters
from movielens_api.read_route import ReadRoute
from movielens_api.store import Store


class Exposition(Response):
    """Metrics as Prometheus reads them; as a class, so that the OpenAPI document names the media type."""

    media_type = Metrics.media_type


def router(metrics: Metrics, store: Store) -> APIRouter:
    """Serve metrics.

    Args:
        metrics: what counts.
        store: whose ratings are counted, as of now, whatever this process has read before.
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
        # A store that cannot be read is what somebody may want to find out about.
        with suppress(sqlite3.Error):
            await store.current()
        return Exposition(metrics.exposition())

    return routes
