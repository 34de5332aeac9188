"""``POST /ratings``."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from starlette.responses import Response

from movielens_api.http import ingest, pages, problems
from movielens_api.http.ingest import MAX_ROWS, NewRating, RowParser
from movielens_api.http.parameters import NoParameters
from movielens_api.middleware.authentication import require
from movielens_api.middleware.observability import ROWS
from movielens_api.store import Store
from movielens_api.store.idempotency import (
    MAX_KEYS,
    SECONDS_BETWEEN_COUNTS,
    IdempotencyKey,
    KeyReusedError,
    PostResult,
    TooManyKeysError,
)
from movielens_api.store.row_log import Row
from movielens_api.store.writer import NotWrittenError, OverloadedError

_PARSER = RowParser(NewRating)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
RETRY = {"Retry-After": "1"}
_REUSED = "This Idempotency-Key was used with other content. Use a new key for new content."
_TOO_MANY_KEYS = (
    f"You used {MAX_KEYS:,} Idempotency-Keys within a day, and nothing was added. "
    "Post more ratings at once, or post without a key."
)
_BAD_KEY = "Idempotency-Key: Input should be 1 to 255 visible ASCII characters"
_KEY_SCHEMA = {"minLength": 1, "maxLength": 255, "pattern": "^[!-~]*$"}
_HEADERS = {
    "Snapshot": "Names a state of the ratings that contains those posted.",
    "Idempotency-Replayed": "`true` if an earlier request with this `Idempotency-Key` added the ratings.",
}
_ARRAY = {"type": "array", "items": {"$ref": "#/components/schemas/NewRating"}, "maxItems": MAX_ROWS}
# NDJSON is described in words only, because client generators support one kind of body and warn about others.
BODY = {"required": True, "content": {"application/json": {"schema": _ARRAY}}}


def router(store: Store) -> APIRouter:
    """Return the route that adds ratings."""
    routes = APIRouter(tags=["ratings"], dependencies=[Depends(require("write"))])

    @routes.post(
        "/ratings",
        status_code=201,
        summary="Add ratings",
        response_model=pages.Accepted,
        responses=_documented(),
        openapi_extra={"requestBody": BODY},
    )
    async def post_ratings(
        request: Request,
        _query: Annotated[NoParameters, Query()],
        idempotency_key: Annotated[
            str | None,
            Header(
                alias="Idempotency-Key",
                json_schema_extra=_KEY_SCHEMA,
                description="Identifies this request: if it is repeated within a day, it has no further effect and "
                "gets the same response.",
            ),
        ] = None,
    ) -> Response:
        """Add ratings, all or none. When the response arrives, they are on disk, and the next request sees them.

        A rating replaces an earlier one with the same user, movie and timestamp, also within a request.
        Movies need not exist. Ratings may also be sent as `application/x-ndjson`, one object per line.
        """
        media_type = ingest.body_media_type(request)
        body = await ingest.read_body(request)
        key = _idempotency_key(request, idempotency_key, media_type, body)
        accepted = await _post(store, await _rows(body, media_type), key)
        request.scope[ROWS] = 0 if accepted.is_replayed else accepted.rows
        headers = {"Snapshot": store.origin.identify(accepted.version).hex()}
        if accepted.is_replayed:
            headers["Idempotency-Replayed"] = "true"
        content = pages.Accepted(accepted=accepted.rows).model_dump_json()
        return Response(content, 201, headers=headers, media_type="application/json")

    return routes


def _idempotency_key(request: Request, header: str | None, media_type: str, body: bytes) -> IdempotencyKey | None:
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        raise HTTPException(422, _BAD_KEY)
    return IdempotencyKey(request.scope["user"].name, header, sha256(media_type.encode() + b"\n" + body).digest())


async def _rows(body: bytes, media_type: str) -> list[Row]:
    rows = await ingest.rows_of(body, media_type, _PARSER, "Nothing was added.")
    return [(row.userId, row.movieId, row.rating, row.timestamp) for row in rows]


async def _post(store: Store, rows: list[Row], key: IdempotencyKey | None) -> PostResult:
    try:
        return await store.post(rows, key)
    except KeyReusedError:
        raise HTTPException(422, _REUSED) from None
    except TooManyKeysError:
        raise HTTPException(429, _TOO_MANY_KEYS, headers={"Retry-After": str(SECONDS_BETWEEN_COUNTS)}) from None
    except OverloadedError:
        raise HTTPException(503, "Too many posts are waiting. Try again in a moment.", headers=RETRY) from None
    except NotWrittenError:
        raise HTTPException(
            503, "The server cannot write to its disk, so nothing was added. Its log says more.", headers=RETRY
        ) from None


def _documented() -> dict[int | str, dict[str, Any]]:
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()}
    return {
        201: {"description": "The ratings are on disk.", "headers": headers},
        **problems.responses(400, 403, 413, 415, 422, 429, 503),
    }
