"""`/healthz` and `/readyz`."""

from collections.abc import Callable

from fastapi import APIRouter, HTTPException

from movielens_api import problems
from movielens_api.read_route import ReadRoute
from movielens_api.resources import Health


def router(unready: Callable[[], str | None]) -> APIRouter:
    """Serve signs of life, to everyone.

    Args:
        unready: tells why the server cannot serve ratings now, or None if it can.
    """
    routes = APIRouter(tags=["operation"], route_class=ReadRoute)

    @routes.get("/healthz", summary="Show that the server is up", responses=problems.responses())
    async def healthz() -> Health:
        """Answers without credentials, for whatever watches the server."""
        return Health(status="ok")

    @routes.get("/readyz", summary="Show that the server can serve", responses=problems.responses(503))
    async def readyz() -> Health:
        """Answers without credentials, for whatever decides where requests go."""
        if reason := unready():
            raise HTTPException(503, reason, headers={"Retry-After": "1"})
        return Health(status="ok")

    return routes
