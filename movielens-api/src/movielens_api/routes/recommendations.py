"""``/users/{userId}/recommendations``, ``/movies/{movieId}/similar`` and ``/recommendations``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from movielens_api.http import ingest, problems
from movielens_api.http.etags import etag, matches
from movielens_api.http.ingest import MAX_ROWS, OwnRating, RowParser
from movielens_api.http.pages import MEDIA_TYPE, Ranking, Recommendation, SimilarMovie
from movielens_api.http.parameters import BestQuery, Id
from movielens_api.http.read_route import ReadRoute
from movielens_api.recommendations import model as models
from movielens_api.recommendations.champion import Champion
from movielens_api.recommendations.history import History
from movielens_api.recommendations.model import Model, NotInCatalogueError
from movielens_api.store import Store
from movielens_api.table.catalogue import Catalogue

_OFF = "This server was started without recommendations: pass --recommendations with the folder of a model registry."
_NO_CHAMPION = "The model registry has no champion yet."
_RETRY = {"Retry-After": "10"}
# Scoring by more ratings takes so long that other requests should not wait for it.
_MAX_RATINGS_AT_ONCE = 1_000
_PARSER = RowParser(OwnRating)
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))
_MODEL = {"Model": "The version of the model that the response is from."}
_HEADERS = {
    **_MODEL,
    "ETag": "Identifies this response, for `If-None-Match`.",
    "Cache-Control": "`private, no-cache`: the response may be cached, but must be revalidated before use.",
}
_ARRAY = {"type": "array", "items": {"$ref": "#/components/schemas/OwnRating"}, "maxItems": MAX_ROWS}
_BODY = {"required": True, "content": {"application/json": {"schema": _ARRAY}}}


class Titles:
    """The titles of movies.

    Args:
        catalogue: The movies.

    Attributes:
        tag: Identifies the titles.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._titles = dict(catalogue.movies.select("movieId", "title").iter_rows())
        self.tag = etag(self._titles)

    def __contains__(self, movie: int) -> bool:
        return movie in self._titles

    def ranking(self, best: Sequence[models.Recommendation], *, reasons: bool) -> bytes:
        """Return movies as JSON, with or without reasons."""
        rows = [{"rank": rank, **self._titled(each.movie), "score": each.score} for rank, each in enumerate(best, 1)]
        if reasons:
            for row, each in zip(rows, best, strict=True):
                row["reasons"] = [
                    {**self._titled(why.movie), "rating": why.rating, "contribution": why.contribution}
                    for why in each.reasons
                ]
        return _JSON.encode({"result": rows}).encode()

    def _titled(self, movie: int) -> dict[str, Any]:
        return {"movieId": movie, "title": self._titles.get(movie)}


def router(champion: Champion, store: Store, catalogue: Catalogue) -> APIRouter:
    """Return the routes of recommendations."""
    routes = APIRouter(tags=["recommendations"])
    titles = Titles(catalogue)
    for reading in (_of_users(champion, store, titles), _similar(champion, titles)):
        routes.include_router(reading)

    @routes.post(
        "/recommendations",
        summary="Recommend movies by ratings in the request",
        response_model=Ranking[Recommendation],
        responses=_documented("The best movies.", _MODEL, 400, 413, 415, 422, 503),
        openapi_extra={"requestBody": _BODY},
    )
    async def recommend_by_ratings(request: Request, query: Annotated[BestQuery, Query()]) -> Response:
        """The movies that the model recommends to someone with the ratings in the request, which are not stored.

        The ratings are the whole history of one person, in any order. Without ratings, these are the movies that are
        trending. Ratings may also be sent as `application/x-ndjson`, one object per line.
        """
        version, model = _served(champion)
        media_type = ingest.body_media_type(request)
        rows = await ingest.rows_of(await ingest.read_body(request), media_type, _PARSER)
        columns = ([getattr(row, name) for row in rows] for name in ("movieId", "rating", "timestamp"))
        best = await _recommended(model, History.of(*columns), query.n)
        return Response(titles.ranking(best, reasons=True), headers={"Model": version}, media_type=MEDIA_TYPE)

    return routes


def _of_users(champion: Champion, store: Store, titles: Titles) -> APIRouter:
    routes = APIRouter(route_class=ReadRoute)

    @routes.get(
        "/users/{userId}/recommendations",
        summary="Recommend movies to a user",
        response_model=Ranking[Recommendation],
        responses=_documented("The best movies.", _HEADERS, 422, 503),
    )
    async def recommend_to_user(
        request: Request,
        user_id: Annotated[Id, Path(alias="userId", description="A user.", examples=[1])],
        query: Annotated[BestQuery, Query()],
    ) -> Response:
        """The movies that the model recommends to a user, by all ratings of the user until now.

        Movies that the user has rated are left out. A user without ratings is recommended what is trending.
        """
        version, model = _served(champion)
        columns = (await store.current()).ratings.of_user(user_id).columns
        history = History.of(columns["movieId"], columns["rating"], columns["timestamp"])
        headers = _cached(version, query.n, titles.tag, history.digest())
        if _is_known(request, headers):
            return Response(status_code=304, headers=headers)
        best = await _recommended(model, history, query.n)
        return Response(titles.ranking(best, reasons=True), headers=headers, media_type=MEDIA_TYPE)

    return routes


def _similar(champion: Champion, titles: Titles) -> APIRouter:
    routes = APIRouter(route_class=ReadRoute)

    @routes.get(
        "/movies/{movieId}/similar",
        summary="List similar movies",
        response_model=Ranking[SimilarMovie],
        responses=_documented("The most similar movies.", _HEADERS, 404, 422, 503),
    )
    async def list_similar_movies(
        request: Request,
        movie_id: Annotated[Id, Path(alias="movieId", description="GroupLens' number.", examples=[1172])],
        query: Annotated[BestQuery, Query()],
    ) -> Response:
        """The movies that are most similar to a movie: those that raise each other's scores."""
        version, model = _served(champion)
        headers = _cached(version, query.n, titles.tag, movie_id)
        try:
            best = model.similar(movie_id, query.n)
        except NotInCatalogueError:
            raise HTTPException(404, _unknown(movie_id, model, titles)) from None
        if _is_known(request, headers):
            return Response(status_code=304, headers=headers)
        return Response(titles.ranking(best, reasons=False), headers=headers, media_type=MEDIA_TYPE)

    return routes


def off_router() -> APIRouter:
    """Return routes that say how to switch recommendations on. The OpenAPI document does not have them."""
    routes = APIRouter(include_in_schema=False)

    async def off(_request: Request) -> Response:
        raise HTTPException(404, _OFF)

    routes.add_api_route("/recommendations", off, methods=["POST"])
    for path in ("/users/{userId}/recommendations", "/movies/{movieId}/similar"):
        routes.add_api_route(path, off, methods=["GET", "HEAD"])
    return routes


async def _recommended(model: Model, history: History, n: int) -> list[models.Recommendation]:
    if len(history.movies) <= _MAX_RATINGS_AT_ONCE:
        return model.recommend(history, n)
    return await run_in_threadpool(model.recommend, history, n)


def _served(champion: Champion) -> tuple[str, Model]:
    """Return the version and the model to respond from.

    Raises:
        HTTPException: 503: there is none.
    """
    served = champion.served
    if served.version is None or served.model is None:
        raise HTTPException(503, f"{served.problem}." if served.problem else _NO_CHAMPION, headers=_RETRY)
    return served.version, served.model


def _cached(version: str, *parts: object) -> dict[str, str]:
    return {"Model": version, "ETag": etag(version, *parts), "Cache-Control": "private, no-cache"}


def _is_known(request: Request, headers: dict[str, str]) -> bool:
    return matches(",".join(request.headers.getlist("if-none-match")), headers["ETag"])


def _unknown(movie: int, model: Model, titles: Titles) -> str:
    if movie not in titles and movie not in model:
        return f"There is no movie {movie}."
    return (
        f"The model knows too few likes of movie {movie}: its catalogue has {len(model.movies):,} movies, each liked "
        f"by at least {model.min_likes} users."
    )


def _documented(what: str, headers: dict[str, str], *errors: int) -> dict[int | str, dict[str, Any]]:
    said = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    documented: dict[int | str, dict[str, Any]] = {200: {"description": what, "headers": said}}
    if "ETag" in headers:
        documented[304] = {"description": "The client already has this response.", "headers": said}
    return {**documented, **problems.responses(401, *errors)}
