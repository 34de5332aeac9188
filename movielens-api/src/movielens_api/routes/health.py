"""`/healthz`."""

from fastapi import APIRouter

from movielens_api import problems
from movielens_api.read_route import ReadRoute
from movielens_api.resources import Health


def router() -> APIRouter:
    """Serve a sign of life, to everyone."""
    routes = APIRouter(tags=["health"], route_class=ReadRoute)

    @routes.get("/healthz", summary="Show that the server is up", responses=problems.responses())
    async def healthz() -> Health:
        """Answers without credentials, for whatever watches the server."""
        return Health(status="ok")

    return routes
