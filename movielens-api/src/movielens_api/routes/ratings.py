"""``GET /ratings``: a page of a snapshot in the negotiated format and coding, or 304."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from movielens_api.formats import FORMATS, Chunks
from movielens_api.http import cursors, negotiation, problems
from movielens_api.http.compression import CODINGS, compress
from movielens_api.http.cursors import BadCursorError, Cursor
from movielens_api.http.etags import etag, matches
from movielens_api.http.file_space import FileSpace
from movielens_api.http.pages import MEDIA_TYPE as JSON
from movielens_api.http.pages import Page, Rating, envelope
from movielens_api.http.parameters import RatingsQuery, documented_query, read_query
from movielens_api.http.read_route import DirectRoute
from movielens_api.http.streaming import RowStream, Stop
from movielens_api.json_rows import json_array
from movielens_api.middleware.observability import ROWS
from movielens_api.store import Store
from movielens_api.table.ratings_table import RatingsTable
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
MEDIA_TYPES = (JSON, *FORMATS)
_VARY = "Accept, Accept-Encoding"
# Fewer rows fit into one packet uncompressed.
_MIN_ROWS_COMPRESSED = 20
# Writing more rows takes longer than handing them to another thread.
_MAX_ROWS_AT_ONCE = 1_000


def router(store: Store, space: FileSpace) -> APIRouter:
    """Return the route that serves ratings.

    Args:
        store: The store of the ratings.
        space: The space for responses that are written to a file first.
    """
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
        return await respond(store, snapshot, page, wanted, space, is_section=is_section)

    return routes


async def _begin(query: RatingsQuery, store: Store, *, whole: bool) -> tuple[Snapshot, Cursor]:
    snapshot = await store.current()
    first, end = snapshot.ratings.bounds(query.start_date, query.end_date)
    limit = end - first if whole else query.limit
    return snapshot, Cursor(snapshot.id, snapshot.version, first, end, query.offset, limit)


async def _follow(token: str, query: RatingsQuery, store: Store, *, whole: bool) -> tuple[Snapshot, Cursor]:
    given = query.model_fields_set - {"cursor"}
    if not given <= SECTION:
        raise problems.parameter_error(
            "cursor", "Input should be sent alone or with offset and limit, because it contains the window"
        )
    try:
        page = cursors.read(token, store.origin)
        snapshot = await store.find(page.version)
        page.check_bounds(len(snapshot.ratings))
        return snapshot, _section(page, query, given, whole=whole) if given else page
    except SnapshotGoneError:
        raise HTTPException(410, GONE) from None
    except BadCursorError:
        message = "Input should be copied from a Link or Link-Template header of this server"
        raise problems.parameter_error("cursor", message) from None


def _section(page: Cursor, query: RatingsQuery, given: set[str], *, whole: bool) -> Cursor:
    if "offset" not in given:
        return replace(page, limit=query.limit)
    if "limit" in given:
        return replace(page, offset=query.offset, limit=query.limit)
    return replace(page, offset=query.offset, limit=page.end - page.first if whole else page.limit)


def _documented() -> dict[int | str, dict[str, Any]]:
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()}
    formats = {name: {"schema": {"type": "string", "description": each.description}} for name, each in FORMATS.items()}
    return {
        200: {"description": "A page of ratings, or the whole window.", "headers": headers, "content": formats},
        304: {"description": "The client already has this response.", "headers": headers},
        **problems.responses(401, 406, 410, 422),
    }


@dataclass(frozen=True)
class Preferences:
    """The response that a client prefers.

    Attributes:
        media_type: One of ``MEDIA_TYPES``.
        coding: One of ``CODINGS``, or ``identity``.
        if_none_match: The entity tags of the client's cached responses.
        is_head: Whether the client wants no body.
        is_buffered: Whether `Http10Middleware` writes a stream to a file.
        user: The name of the user.
    """

    media_type: str
    coding: str
    if_none_match: str
    is_head: bool
    is_buffered: bool
    user: str


def preferences(request: Request) -> Preferences:
    """Return what a request prefers.

    Raises:
        HTTPException: 406: no available format is acceptable.
    """
    headers = request.headers
    # A repeated header is one list.
    media_type = negotiation.media_type(",".join(headers.getlist("accept")), MEDIA_TYPES)
    if media_type is None:
        offered = ", ".join(MEDIA_TYPES)
        raise HTTPException(406, f"Ratings come as {offered}; accept one of these.", headers={"Vary": _VARY})
    coding = negotiation.coding(",".join(headers.getlist("accept-encoding")), tuple(CODINGS))
    if_none_match = ",".join(headers.getlist("if-none-match"))
    scope = request.scope
    is_buffered = scope["http_version"] != "1.1"
    return Preferences(media_type, coding, if_none_match, request.method == "HEAD", is_buffered, scope["user"].name)


async def respond(
    store: Store,
    snapshot: Snapshot,
    page: Cursor,
    wanted: Preferences,
    space: FileSpace,
    *,
    is_section: bool = False,
) -> Response:
    """Respond with a page of a snapshot.

    Args:
        store: The store that keeps the snapshot.
        snapshot: The snapshot with the rows.
        page: The rows to send.
        wanted: How to send them.
        space: The space for a file, if the response is one.
        is_section: Whether the client reads the snapshot in its own order, and may request any rows of it next.
    """
    total = page.end - page.first
    rows = min(page.limit, total - min(page.offset, total))
    coding = _worthwhile(wanted, rows)
    headers = {
        "Snapshot": snapshot.name,
        "X-Total-Count": str(total),
        "ETag": etag(page, wanted.media_type, coding),
        "Cache-Control": "private, no-cache",
        "Vary": _VARY,
    }
    following = page.next()
    if following or is_section:
        store.lease(snapshot)
    if following:
        # A relative reference with only a query works behind any proxy, and no request header can redirect it.
        query = f"?cursor={following.token(store.origin.key)}"
        headers["Link"] = f'<{query}>; rel="next"'
        headers["Link-Template"] = f'"{query}{{&offset,limit}}"; rel="section"'
    if wanted.if_none_match and matches(wanted.if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = wanted.media_type
    if coding != "identity":
        headers["Content-Encoding"] = coding

    def produce(stop: Stop) -> Chunks:
        body = _body(snapshot.ratings, page, rows, wanted.media_type, stop)
        encoded = body if coding == "identity" else compress(body, coding)
        return _held(encoded, store, snapshot) if is_section and _is_streamed(rows, wanted) else encoded

    return await _send(produce, rows, headers, wanted, space)


def _body(ratings: RatingsTable, page: Cursor, rows: int, media_type: str, stop: Stop) -> Chunks:
    start = page.first + page.offset
    if media_type == JSON:
        return _in_envelope(ratings.rows(start, start + rows), page)
    kind = FORMATS[media_type]
    return kind.stream(stop.guard(ratings.chunks(start, start + rows, kind.rows_per_chunk)))


def _held(body: Chunks, store: Store, snapshot: Snapshot) -> Chunks:
    # A client that is cut off after half an hour of a stream can resume in the same snapshot.
    for chunk in body:
        store.lease(snapshot)
        yield chunk


async def _send(
    produce: Callable[[Stop], Chunks], rows: int, headers: dict[str, str], wanted: Preferences, space: FileSpace
) -> Response:
    if _is_streamed(rows, wanted):
        if wanted.is_head:
            # The length is known only at the end.
            return RowStream(lambda _: iter(()), headers)
        kind = FORMATS[wanted.media_type]
        is_file = kind.is_file or wanted.is_buffered
        return RowStream(
            produce, headers, file=space.take(wanted.user, rows * kind.max_bytes_per_row) if is_file else None
        )
    body = produce(Stop())
    if rows <= _MAX_ROWS_AT_ONCE or (wanted.media_type == JSON and "Content-Encoding" not in headers):
        return Response(_joined(body), headers=headers)
    return Response(await run_in_threadpool(_joined, body), headers=headers)


def _is_streamed(rows: int, wanted: Preferences) -> bool:
    return wanted.media_type != JSON and rows > FORMATS[wanted.media_type].rows_per_chunk


def _joined(body: Chunks) -> bytes | memoryview:
    chunks = list(body)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _worthwhile(wanted: Preferences, rows: int) -> str:
    too_few = rows < _MIN_ROWS_COMPRESSED
    is_compressed = wanted.media_type != JSON and FORMATS[wanted.media_type].is_compressed
    return "identity" if too_few or is_compressed else wanted.coding


def _in_envelope(rows: pl.DataFrame, page: Cursor) -> Chunks:
    before, after = envelope(offset=page.offset, limit=page.limit, total=page.end - page.first)
    yield json_array(rows, before=before, after=after)
