"""``/movies`` and ``/users``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from movielens_api.http import problems
from movielens_api.http.pages import Movie, Page, User, page
from movielens_api.http.parameters import Id, NoParameters, Paging
from movielens_api.http.read_route import ReadRoute
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue


def movies_router(catalogue: Catalogue) -> APIRouter:
    """Return the routes of movies."""
    routes = APIRouter(tags=["movies"], route_class=ReadRoute)

    @routes.get("/movies", summary="List movies", response_model=Page[Movie], responses=problems.responses(401, 422))
    async def list_movies(query: Annotated[Paging, Query()]) -> Response:
        """All movies, ordered by `movieId`."""
        return page(catalogue.movies, query)

    @routes.get(
        "/movies/{movieId}", summary="Get a movie", response_model=Movie, responses=problems.responses(401, 404, 422)
    )
    async def get_movie(
        movie_id: Annotated[Id, Path(alias="movieId", description="GroupLens' number.", examples=[1172])],
        _query: Annotated[NoParameters, Query()],
    ) -> dict[str, Any]:
        """One movie."""
        movie = catalogue.movie(movie_id)
        if movie is None:
            raise HTTPException(404, f"There is no movie {movie_id}.")
        return movie

    return routes


def users_router(store: Store) -> APIRouter:
    """Return the routes of users."""
    routes = APIRouter(tags=["users"], route_class=ReadRoute)

    @routes.get("/users", summary="List users", response_model=Page[User], responses=problems.responses(401, 422))
    async def list_users(query: Annotated[Paging, Query()]) -> Response:
        """Everyone who rated, ordered by `userId`."""
        ratings = (await store.current()).ratings
        # In another thread, because the first request after a post counts the users, and others should not wait for it.
        return page(await run_in_threadpool(lambda: ratings.users), query)

    return routes
