"""`/users`."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from movielens_api import problems
from movielens_api.pages import Page, page
from movielens_api.parameters import Paging
from movielens_api.read_route import ReadRoute
from movielens_api.resources import User
from movielens_api.store import Store


def router(store: Store) -> APIRouter:
    """Serve users."""
    routes = APIRouter(tags=["users"], route_class=ReadRoute)

    @routes.get("/users", summary="List users", response_model=Page[User], responses=problems.responses(401, 422))
    async def list_users(query: Annotated[Paging, Query()]) -> Response:
        """Everyone who rated, ordered by `userId`."""
        ratings = (await store.current()).ratings
        # In another thread: the first answer after a post counts, and other requests should not wait for it.
        return page(await run_in_threadpool(lambda: ratings.users), query)

    return routes
