"""The body of a POST with ratings, parsed strictly: unless every row is valid, the request is refused."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from movielens_api.datasets.ratings_file import YEAR_10000
from movielens_api.http.parameters import MAX_ID
from movielens_api.http.problems import RowError, WrongRows

if TYPE_CHECKING:
    from collections.abc import Iterator

_JSON = "application/json"
_NDJSON = "application/x-ndjson"
_MEDIA_TYPES = (_JSON, _NDJSON)
MAX_ROWS = 10_000
_MAX_ERRORS = 100
_MAX_QUOTE_LENGTH = 80
# Parsing so many bytes takes less than a millisecond.
_FEW_BYTES = 1 << 15
# Other spaces are none to JSON.
_JSON_SPACE = b" \t\r"
_HALF_STARS = "Input should be a multiple of 0.5"
_MAX_BYTES = 2 << 20
_ACCEPT_POST = {"Accept-Post": ", ".join(_MEDIA_TYPES)}
_TOO_LARGE = f"A post may have at most {MAX_ROWS:,} ratings and {_MAX_BYTES:,} bytes. Send fewer ratings."


class OwnRating(BaseModel):
    """A rating by the user for whom a request asks."""

    # Other columns are found by `RowParser`: pydantic would explain each of a hundred thousand.
    model_config = ConfigDict(extra="ignore", strict=True, json_schema_extra={"additionalProperties": False})

    movieId: int = Field(ge=1, le=MAX_ID, examples=[1172])  # noqa: N815 - GroupLens' name, and the wire's
    rating: float = Field(ge=0.5, le=5, multiple_of=0.5, description="Stars.", examples=[4.0])
    timestamp: int = Field(ge=0, lt=YEAR_10000, description="When, in Unix seconds (UTC).", examples=[1260759205])


class NewRating(OwnRating):
    """A rating to add."""

    userId: int = Field(ge=1, le=MAX_ID, examples=[1])  # noqa: N815 - GroupLens' name, and the wire's


Rows = TypeVar("Rows", bound=OwnRating)


class NotJsonError(ValueError):
    """The body is not valid for its media type."""


class TooManyRowsError(ValueError):
    """The body has more rows, or more values, than a request may have."""


class WrongRowsError(ValueError):
    """Some rows are not ratings.

    Attributes:
        errors: The first ``_MAX_ERRORS`` errors.
    """

    def __init__(self, errors: list[RowError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = errors


class RowParser(Generic[Rows]):
    """A parser of posted rows.

    Args:
        kind: The class of the rows.
    """

    def __init__(self, kind: type[Rows]) -> None:
        self._columns = frozenset(kind.model_fields)
        of_kind: Any = list[kind]  # type: ignore[valid-type]
        self._list: TypeAdapter[list[Rows]] = TypeAdapter(Annotated[of_kind, FailFast()])
        self._one = TypeAdapter(kind)

    def parse(self, body: bytes, media_type: str) -> list[Rows]:
        """Parse and check posted ratings.

        Args:
            body: A JSON array of objects, or one object per line.
            media_type: One of ``_MEDIA_TYPES``.

        Raises:
            NotJsonError: The body is not JSON.
            TooManyRowsError: The body has more than ``MAX_ROWS`` rows, or more values than these.
            WrongRowsError: A row is not a rating.
        """
        # Every row has one, so this is cheaper than to parse too many.
        if body.count(b"{") > MAX_ROWS:
            raise TooManyRowsError
        lines = None if media_type == _JSON else [line for line in body.split(b"\n") if line.strip(_JSON_SPACE)]
        if lines is not None and len(lines) > MAX_ROWS:
            raise TooManyRowsError
        try:
            found = self._list.validate_json(body) if lines is None else [*map(self._one.validate_json, lines)]
        except ValidationError:
            raise self._explained(body, lines) from None
        if len(found) > MAX_ROWS:
            raise TooManyRowsError
        # No value is text, so all quotes belong to keys. More quotes than all keys of the rows need mean repeated keys.
        # Pydantic accepts 4.0000000001 as a multiple of 0.5.
        quotes = 2 * len(self._columns) * len(found)
        if body.count(b'"') != quotes or not all((row.rating * 2).is_integer() for row in found):
            raise self._explained(body, lines)
        return found

    def _explained(self, body: bytes, lines: list[bytes] | None) -> ValueError:
        """Parse the body again, slowly, to find out what is wrong."""
        if body.count(b",") > MAX_ROWS * len(self._columns):
            # More values than ratings can have. Nothing else runs while they are decoded, half a second for a million.
            return TooManyRowsError()
        try:
            rows = _decode(body, "") if lines is None else [_decode(line, f"row {n}, ") for n, line in enumerate(lines)]
        except NotJsonError as error:
            return error
        if type(rows) is not list:
            return WrongRowsError([RowError(message="Input should be an array of objects, one per rating")])
        if len(rows) > MAX_ROWS:
            return TooManyRowsError()
        return WrongRowsError(list(islice(self._wrong(rows), _MAX_ERRORS)))

    def _wrong(self, rows: list[Any]) -> Iterator[RowError]:
        for number, row in enumerate(rows):
            if isinstance(row, _Pairs):
                for name, text in chain(self._wrong_columns(row), self._wrong_values(row)):
                    yield RowError(row=number, column=_quoted(name), message=text)
            else:
                yield RowError(row=number, message="Input should be an object")

    def _wrong_columns(self, row: _Pairs) -> Iterator[tuple[str, str]]:
        # In the order of the row, so that nobody waits for the names after the last error that is listed.
        times = Counter[str]()
        for name, _ in row:
            times[name] += 1
            if times[name] == 1 and name not in self._columns:
                yield name, "A rating has no such column"
            elif times[name] == 2:  # noqa: PLR2004 - the second time
                yield name, "Given twice"

    def _wrong_values(self, row: _Pairs) -> Iterator[tuple[str, str]]:
        known = {name: value for name, value in row if name in self._columns}
        try:
            rating = self._one.validate_python(known).rating
            if not (rating * 2).is_integer():
                yield "rating", _HALF_STARS
        except ValidationError as error:
            for found in error.errors(include_url=False, include_context=False, include_input=False):
                yield str(found["loc"][0]), found["msg"]


def _quoted(name: str) -> str:
    """Return the beginning of a name, with half surrogate pairs escaped, which UTF-8 cannot encode."""
    return name[:_MAX_QUOTE_LENGTH].encode(errors="backslashreplace").decode()


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its keys as written, so that repeated ones are found."""


_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs)


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


async def rows_of(body: bytes, media_type: str, parser: RowParser[Rows], refused: str = "") -> list[Rows]:
    """Return the rows of a body. A large body is parsed in a thread, so that other requests do not wait.

    Args:
        body: The body.
        media_type: The media type of the body.
        parser: The parser of the rows.
        refused: A sentence for 422 on what did not happen.

    Raises:
        HTTPException: 400: the body is not JSON. 413: it has too many rows.
        WrongRows: 422: a row is not a rating.
    """
    try:
        if len(body) <= _FEW_BYTES:
            return parser.parse(body, media_type)
        return await run_in_threadpool(parser.parse, body, media_type)
    except NotJsonError as error:
        raise HTTPException(400, f"This is not {media_type}: {error}") from None
    except TooManyRowsError:
        raise too_large_error() from None
    except WrongRowsError as error:
        raise WrongRows(error.errors, refused) from None


def too_large_error() -> HTTPException:
    """Return the error for a body with too many bytes or rows."""
    return HTTPException(413, _TOO_LARGE)
