"""`/movies`."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query
from starlette.responses import Response

from movielens_api import problems
from movielens_api.catalogue import Catalogue
from movielens_api.pages import Page, page
from movielens_api.parameters import MAX_ID, NoParameters, Paging, WholeNumber
from movielens_api.read_route import ReadRoute
from movielens_api.resources import Movie


def router(catalogue: Catalogue) -> APIRouter:
    """Serve movies, all and each."""
    routes = APIRouter(tags=["movies"], route_class=ReadRoute)

    @routes.get("/movies", summary="List movies", response_model=Page[Movie], responses=problems.responses(401, 422))
    async def list_movies(query: Annotated[Paging, Query()]) -> Response:
        """All movies, ordered by `movieId`."""
        return page(catalogue.movies, query)

    @routes.get(
        "/movies/{movieId}", summary="Get a movie", response_model=Movie, responses=problems.responses(401, 404, 422)
    )
    async def get_movie(
        movie_id: Annotated[
            WholeNumber, Path(alias="movieId", ge=0, le=MAX_ID, description="GroupLens' number.", examples=[1172])
        ],
        _query: Annotated[NoParameters, Query()],
    ) -> dict[str, Any]:
        """One movie."""
        movie = catalogue.movie(movie_id)
        if movie is None:
            raise HTTPException(404, f"There is no movie {movie_id}.")
        return movie

    return routes
