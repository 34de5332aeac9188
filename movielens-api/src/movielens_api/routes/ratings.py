"""`/ratings`."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from movielens_api import problems
from movielens_api.pages import Page, page
from movielens_api.parameters import RatingsQuery
from movielens_api.ratings_table import RatingsTable
from movielens_api.resources import Rating


def router(ratings: RatingsTable) -> APIRouter:
    """Serve ratings by window."""
    routes = APIRouter(tags=["ratings"])

    @routes.get("/ratings", summary="List ratings", response_model=Page[Rating], responses=problems.responses(401, 422))
    async def list_ratings(query: Annotated[RatingsQuery, Query()]) -> Response:
        """The ratings from `start_date` (inclusive) to `end_date` (exclusive), days in UTC.

        Rows are ordered by `timestamp`, `userId`, `movieId`; `total` counts the whole window.
        Equal dates give no rows.
        """
        return page(ratings.window(query.start_date, query.end_date), query)

    return routes
