"""`/users`."""

from typing import Annotated

from fastapi import APIRouter, Query
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
    # Not async: the first answer after a post counts, and other requests should not wait for it.
    def list_users(query: Annotated[Paging, Query()]) -> Response:
        """Everyone who rated, ordered by `userId`."""
        return page((await store.current()).ratings.users, query)

    return routes
