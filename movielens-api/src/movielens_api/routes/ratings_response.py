"""Answers of `/ratings`: a page of a snapshot, in the format and coding that a client likes best, unless it has it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from movielens_api.formats import FORMATS, ROWS_PER_CHUNK, Chunks, json_array
from movielens_api.http import negotiation
from movielens_api.http.compression import CODINGS, compress
from movielens_api.http.cursors import Cursor
from movielens_api.http.etags import etag, matches
from movielens_api.http.pages import MEDIA_TYPE as JSON
from movielens_api.http.pages import envelope
from movielens_api.store import Store
from movielens_api.table.ratings_table import RatingsTable
from movielens_api.table.snapshots import Snapshot

MEDIA_TYPES = (JSON, *FORMATS)
VARY = "Accept, Accept-Encoding"
# Fewer rows fit into one packet anyway.
FEWEST_ROWS_COMPRESSED = 20
# More rows take longer to write than to hand to another thread.
MOST_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Preferences:
    """What a client wants to be sent.

    Attributes:
        media_type: one of `MEDIA_TYPES`.
        coding: one of `CODINGS`, or `identity`.
        if_none_match: the tags of what it has.
        is_head: whether it wants no body.
    """

    media_type: str
    coding: str
    if_none_match: str
    is_head: bool


def preferences(request: Request) -> Preferences:
    """Read what a request prefers.

    Raises:
        HTTPException: 406, there is nothing that it accepts.
    """
    headers = request.headers
    # Several lines of a header are one list.
    media_type = negotiation.media_type(",".join(headers.getlist("accept")), MEDIA_TYPES)
    if media_type is None:
        offered = ", ".join(MEDIA_TYPES)
        raise HTTPException(406, f"Ratings come as {offered}; accept one of these.", headers={"Vary": VARY})
    coding = negotiation.coding(",".join(headers.getlist("accept-encoding")), tuple(CODINGS))
    if_none_match = ",".join(headers.getlist("if-none-match"))
    return Preferences(media_type, coding, if_none_match, request.method == "HEAD")


async def respond(
    store: Store, snapshot: Snapshot, page: Cursor, wanted: Preferences, *, is_section: bool = False
) -> Response:
    """Answer with a page of a snapshot, as wanted.

    Args:
        store: keeps the snapshot.
        snapshot: where the rows are.
        page: which rows.
        wanted: how they are sent.
        is_section: whether the client reads this snapshot in an order of its own, and may ask for any part of it next.
    """
    total = page.end - page.first
    rows = min(page.limit, total - min(page.offset, total))
    coding = _worthwhile(wanted, rows)
    headers = {
        "Snapshot": snapshot.name,
        "X-Total-Count": str(total),
        "ETag": etag(page, wanted.media_type, coding),
        "Cache-Control": "private, no-cache",
        "Vary": VARY,
    }
    following = page.next()
    if following or is_section:
        store.lease(snapshot)
    if following:
        # A query alone: right behind any prefix and proxy, and no header of the request can bend it elsewhere.
        query = f"?cursor={following.token(store.origin.key)}"
        headers["Link"] = f'<{query}>; rel="next"'
        headers["Link-Template"] = f'"{query}{{&offset,limit}}"; rel="section"'
    if wanted.if_none_match and matches(wanted.if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = wanted.media_type
    if coding != "identity":
        headers["Content-Encoding"] = coding
    body = _body(snapshot.ratings, page, rows, wanted, coding)
    if is_section and rows > ROWS_PER_CHUNK:
        body = _held(body, store, snapshot)
    return await _send(body, rows, headers, wanted)


def _body(ratings: RatingsTable, page: Cursor, rows: int, wanted: Preferences, coding: str) -> Chunks:
    start = page.first + page.offset
    body: Chunks
    if wanted.media_type == JSON:
        body = _in_envelope(ratings.rows(start, start + rows), page)
    else:
        body = FORMATS[wanted.media_type].stream(ratings.chunks(start, start + rows, ROWS_PER_CHUNK))
    return body if coding == "identity" else compress(body, coding)


def _held(body: Chunks, store: Store, snapshot: Snapshot) -> Chunks:
    # Who is cut off after half an hour of a stream goes on in the same snapshot.
    for chunk in body:
        store.lease(snapshot)
        yield chunk


async def _send(body: Chunks, rows: int, headers: dict[str, str], wanted: Preferences) -> Response:
    if rows > ROWS_PER_CHUNK:
        # The length is known only at the end, so HEAD need not begin.
        return StreamingResponse(iter(()) if wanted.is_head else body, headers=headers)
    if rows <= MOST_ROWS_AT_ONCE or (wanted.media_type == JSON and "Content-Encoding" not in headers):
        return Response(_joined(body), headers=headers)
    return Response(await run_in_threadpool(_joined, body), headers=headers)


def _joined(body: Chunks) -> bytes | memoryview:
    chunks = list(body)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _worthwhile(wanted: Preferences, rows: int) -> str:
    too_few = rows < FEWEST_ROWS_COMPRESSED
    is_compressed = wanted.media_type != JSON and FORMATS[wanted.media_type].is_compressed
    return "identity" if too_few or is_compressed else wanted.coding


def _in_envelope(rows: pl.DataFrame, page: Cursor) -> Chunks:
    before, after = envelope(offset=page.offset, limit=page.limit, total=page.end - page.first)
    yield json_array(rows, before=before, after=after)
