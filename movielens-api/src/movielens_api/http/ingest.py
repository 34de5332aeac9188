"""The body of ``POST /ratings``, parsed strictly: unless every row is valid, nothing is added."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter, ValidationError

from movielens_api.datasets.ratings_file import YEAR_10000
from movielens_api.http.parameters import MAX_ID
from movielens_api.http.problems import RowError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from movielens_api.store.row_log import Row

_JSON = "application/json"
_NDJSON = "application/x-ndjson"
_MEDIA_TYPES = (_JSON, _NDJSON)
MAX_ROWS = 10_000
_MAX_ERRORS = 100
_QUOTES_PER_ROW = 8
_HALF_STARS = "Input should be a multiple of 0.5"
_MAX_BYTES = 2 << 20
_ACCEPT_POST = {"Accept-Post": ", ".join(_MEDIA_TYPES)}
_TOO_LARGE = f"A post may have at most {MAX_ROWS:,} ratings and {_MAX_BYTES:,} bytes. Split it into several."


class NewRating(BaseModel):
    """A rating to add."""

    model_config = ConfigDict(extra="forbid", strict=True)

    movieId: int = Field(ge=1, le=MAX_ID, examples=[1172])  # noqa: N815 - GroupLens' name, and the wire's
    rating: float = Field(ge=0.5, le=5, multiple_of=0.5, description="Stars.", examples=[4.0])
    timestamp: int = Field(ge=0, lt=YEAR_10000, description="When, in Unix seconds (UTC).", examples=[1260759205])
    userId: int = Field(ge=1, le=MAX_ID, examples=[1])  # noqa: N815 - GroupLens' name, and the wire's


class NotJsonError(ValueError):
    """The body is not valid for its media type."""


class TooManyRowsError(ValueError):
    """The body has more rows than a request may have."""


class WrongRowsError(ValueError):
    """Some rows are not ratings.

    Attributes:
        errors: The first ``_MAX_ERRORS`` errors.
    """

    def __init__(self, errors: list[RowError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = errors


def parse(body: bytes, media_type: str) -> list[Row]:
    """Parse and check posted ratings.

    Args:
        body: A JSON array of objects, or one object per line.
        media_type: One of ``_MEDIA_TYPES``.

    Raises:
        NotJsonError: The body is not JSON.
        TooManyRowsError: The body has more than ``MAX_ROWS`` rows.
        WrongRowsError: A row is not a rating.
    """
    lines = None if media_type == _JSON else [line for line in body.split(b"\n") if line.strip()]
    if lines is not None and len(lines) > MAX_ROWS:
        raise TooManyRowsError
    try:
        found = _LIST.validate_json(body) if lines is None else [_ONE.validate_json(line) for line in lines]
    except ValidationError:
        raise _explained(body, lines) from None
    if len(found) > MAX_ROWS:
        raise TooManyRowsError
    # No value is text, so all quotes belong to keys. More quotes than four keys per row need mean repeated keys.
    # Pydantic accepts 4.0000000001 as a multiple of 0.5.
    if body.count(b'"') != _QUOTES_PER_ROW * len(found) or not all((row.rating * 2).is_integer() for row in found):
        raise _explained(body, lines)
    return [(row.userId, row.movieId, row.rating, row.timestamp) for row in found]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its keys as written, so that repeated ones are found."""


_LIST = TypeAdapter(Annotated[list[NewRating], FailFast()])
_ONE = TypeAdapter(NewRating)
_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs)


def _explained(body: bytes, lines: list[bytes] | None) -> ValueError:
    """Parse the body again, slowly, to find out what is wrong."""
    try:
        rows = _decode(body, "") if lines is None else [_decode(line, f"row {n}, ") for n, line in enumerate(lines)]
    except NotJsonError as error:
        return error
    if type(rows) is not list:
        return WrongRowsError([RowError(message="Input should be an array of objects, one per rating")])
    if len(rows) > MAX_ROWS:
        return TooManyRowsError()
    return WrongRowsError(list(islice(_wrong(rows), _MAX_ERRORS)))


def _decode(text: bytes, place: str) -> Any:
    if text.startswith(BOM_UTF8):
        raise NotJsonError(f"{place}it begins with a byte order mark; send it without")
    try:
        return _DECODER.decode(text.decode())
    except json.JSONDecodeError as error:
        raise NotJsonError(f"{place}line {error.lineno}, column {error.colno}: {error.msg}") from None
    # RecursionError: deeply nested brackets. ValueError: a number with more digits than Python parses.
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise NotJsonError(f"{place}{error}") from None


def _wrong(rows: list[Any]) -> Iterator[RowError]:
    for number, row in enumerate(rows):
        if not isinstance(row, _Pairs):
            yield RowError(row=number, message="Input should be an object")
            continue
        times = Counter(name for name, _ in row)
        repeated = sorted(name for name in times if times[name] > 1)
        yield from (RowError(row=number, column=name, message="Given twice") for name in repeated)
        yield from (RowError(row=number, column=name, message=text) for name, text in _wrong_values(dict(row)))


def _wrong_values(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    # Not left to pydantic, which would explain each of a hundred thousand unknown columns.
    yield from ((name, "A rating has no such column") for name in sorted(row.keys() - NewRating.model_fields.keys()))
    known = {name: value for name, value in row.items() if name in NewRating.model_fields}
    try:
        rating = _ONE.validate_python(known).rating
        if not (rating * 2).is_integer():
            yield "rating", _HALF_STARS
    except ValidationError as error:
        for found in error.errors(include_url=False, include_context=False, include_input=False):
            yield str(found["loc"][0]), found["msg"]


def body_media_type(request: Request) -> str:
    """Return the media type of the body, one of ``_MEDIA_TYPES``.

    Raises:
        HTTPException: 415: the media type is not supported, or the body is compressed.
    """
    coding = request.headers.get("content-encoding", "").strip().lower() or "identity"
    if coding != "identity":
        raise HTTPException(
            415,
            f"Send ratings uncompressed, without Content-Encoding: {coding}.",
            headers={"Accept-Encoding": "identity"},
        )
    name, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if name not in _MEDIA_TYPES or any(each.replace('"', "") not in {"", "charset=utf-8"} for each in parameters):
        raise HTTPException(415, f"Send ratings as {' or '.join(_MEDIA_TYPES)}, in UTF-8.", headers=_ACCEPT_POST)
    return name


async def read_body(request: Request) -> bytes:
    """Return the body.

    Raises:
        HTTPException: 413: the body is too large.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise too_large_error()
    return bytes(body)


def too_large_error() -> HTTPException:
    """Return the error for a body with too many bytes or rows."""
    return HTTPException(413, _TOO_LARGE)
