"""`/metrics`."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from movielens_api import problems
from movielens_api.observation.metrics import Metrics
from movielens_api.parameters import NoParameters
from movielens_api.read_route import ReadRoute


class Exposition(Response):
    """Metrics as Prometheus reads them; as a class, so that the OpenAPI document names the media type."""

    media_type = Metrics.media_type


def router(metrics: Metrics) -> APIRouter:
    """Serve metrics."""
    routes = APIRouter(tags=["operation"], route_class=ReadRoute)

    @routes.get(
        "/metrics",
        summary="Count what the server does",
        response_class=Exposition,
        responses=problems.responses(401, 422),
    )
    async def show_metrics(_query: Annotated[NoParameters, Query()]) -> Response:
        """Requests, times, bytes, ratings, memory: for Prometheus."""
        return Exposition(metrics.exposition())

    return routes
