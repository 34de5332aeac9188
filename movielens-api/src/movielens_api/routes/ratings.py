"""``GET /ratings``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from movielens_api.formats import FORMATS
from movielens_api.http import cursors, problems
from movielens_api.http.cursors import BadCursorError, Cursor
from movielens_api.http.pages import MEDIA_TYPE as JSON
from movielens_api.http.pages import Page, Rating
from movielens_api.http.parameters import RatingsQuery, documented_query, read_query
from movielens_api.middleware.observability import ROWS
from movielens_api.routes.ratings_response import preferences, respond
from movielens_api.routes.read_route import DirectRoute
from movielens_api.store import Store
from movielens_api.table.snapshots import Snapshot, SnapshotGoneError

HEADERS = {
    "Snapshot": "Names the state of the ratings that the response is from.",
    "Link": 'With `rel="next"`, the next page of the same snapshot. Missing on the last page.',
    "Link-Template": 'With `rel="section"`, a URI template (RFC 9652) for any rows of the same window and snapshot: '
    "expand it with `offset` and `limit`, or with `offset` alone. Present whenever `Link` is.",
    "X-Total-Count": "How many rows the window has.",
    "ETag": "Identifies this response, for `If-None-Match`.",
    "Cache-Control": "`private, no-cache`: the response may be cached, but must be revalidated before use.",
    "Vary": "`Accept, Accept-Encoding`: the same URL has several responses.",
}
# The parameters that are allowed next to a cursor.
SECTION = frozenset({"offset", "limit"})
GONE = "The snapshot of this cursor is gone. Start again from the first page of the window."


def router(store: Store) -> APIRouter:
    """Return the route that serves ratings."""
    routes = APIRouter(tags=["ratings"], route_class=DirectRoute)

    @routes.get(
        "/ratings",
        summary="List ratings",
        response_model=Page[Rating],
        responses=_documented(),
        openapi_extra={"parameters": documented_query(RatingsQuery)},
    )
    async def list_ratings(request: Request) -> Response:
        """The ratings from `start_date` (inclusive) to `end_date` (exclusive), days in UTC.

        Rows are ordered by `timestamp`, `userId`, `movieId`; `total` counts the whole window.
        Equal dates give no rows.
        `Accept` selects JSON with an envelope, or NDJSON, CSV, Arrow or Parquet without one;
        without `limit`, these contain the rest of the window, however long.
        A `cursor` is sent alone, or with `offset`, `limit` or both, which select rows of its window.
        `Accept-Encoding` selects compression with zstd or gzip, except for Parquet and very short responses.
        With the ETag of a response in `If-None-Match`, it is sent again only if it has changed.
        """
        query = read_query(RatingsQuery, request)
        wanted = preferences(request)
        whole = wanted.media_type != JSON and "limit" not in query.model_fields_set
        if query.cursor is None:
            snapshot, page = await _begin(query, store, whole=whole)
        else:
            snapshot, page = await _follow(query.cursor, query, store, whole=whole)
        request.scope[ROWS] = max(min(page.limit, page.end - page.first - page.offset), 0)
        is_section = query.cursor is not None and len(query.model_fields_set) > 1
        return await respond(store, snapshot, page, wanted, is_section=is_section)

    return routes


async def _begin(query: RatingsQuery, store: Store, *, whole: bool) -> tuple[Snapshot, Cursor]:
    snapshot = await store.current()
    first, end = snapshot.ratings.bounds(query.start_date, query.end_date)
    limit = end - first if whole else query.limit
    return snapshot, Cursor(snapshot.id, snapshot.version, first, end, query.offset, limit)


async def _follow(token: str, query: RatingsQuery, store: Store, *, whole: bool) -> tuple[Snapshot, Cursor]:
    given = query.model_fields_set - {"cursor"}
    if not given <= SECTION:
        raise problems.parameter_error("cursor", "Input should come with offset and limit at most: it holds the window")
    try:
        page = cursors.read(token, store.origin)
        return await store.find(page.version), _section(page, query, given, whole=whole) if given else page
    except SnapshotGoneError:
        raise HTTPException(410, GONE) from None
    except BadCursorError:
        message = "Input should be copied from a header Link or Link-Template of this server"
        raise problems.parameter_error("cursor", message) from None


def _section(page: Cursor, query: RatingsQuery, given: set[str], *, whole: bool) -> Cursor:
    if "offset" not in given:
        return replace(page, limit=query.limit)
    if "limit" in given:
        return replace(page, offset=query.offset, limit=query.limit)
    return replace(page, offset=query.offset, limit=page.end - page.first if whole else page.limit)


def _documented() -> dict[int | str, dict[str, Any]]:
    headers = {name: {"description": said, "schema": {"type": "string"}} for name, said in HEADERS.items()}
    formats = {name: {"schema": {"type": "string", "description": each.description}} for name, each in FORMATS.items()}
    return {
        200: {"description": "A page of ratings, or the whole window.", "headers": headers, "content": formats},
        304: {"description": "The client already has this response.", "headers": headers},
        **problems.responses(401, 406, 410, 422),
    }
