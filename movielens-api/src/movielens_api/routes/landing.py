"""`/`: a page for whoever opens the server in a browser."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from movielens_api.catalogue import Catalogue
from movielens_api.documents import Document
from movielens_api.landing.examples import address
from movielens_api.landing.page import HEADERS, render
from movielens_api.read_route import ReadRoute
from movielens_api.store import Store


def router(catalogue: Catalogue, store: Store) -> APIRouter:
    """Serve the landing page, to everyone."""
    routes = APIRouter(route_class=ReadRoute, include_in_schema=False)

    @routes.get("/")
    async def landing(request: Request) -> Response:
        # In another thread: counting the users of a new version takes a moment.
        page = await run_in_threadpool(render, catalogue, await store.current(), address(request))
        return Document(page, "text/html", HEADERS).respond(request)

    return routes
