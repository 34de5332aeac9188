"""Profiles that send wrong rows, in every format."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl

from movielens_api.formats import FORMATS
from movielens_api.hostile.profile import BufferedResponse, Profile
from movielens_api.http.pages import MEDIA_TYPE as JSON
from movielens_api.table.ratings_table import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

NDJSON, CSV, ARROW, _PARQUET = FORMATS
_COLUMNAR: dict[str, tuple[Callable[..., pl.DataFrame], Callable[..., Any]]] = {
    CSV: (pl.read_csv, pl.DataFrame.write_csv),
    ARROW: (pl.read_ipc_stream, pl.DataFrame.write_ipc_stream),
    _PARQUET: (pl.read_parquet, pl.DataFrame.write_parquet),
}
Rows = list[dict[str, Any]]
_OFF_STEP = 3.7
_BAD = 10


def read(response: BufferedResponse) -> Rows:
    """Return the rows of a response."""
    media_type = response.headers["Content-Type"]
    if media_type == JSON:
        found: Rows = json.loads(response.body)["result"]
        return found
    if media_type == NDJSON:
        return [json.loads(line) for line in response.body.splitlines()]
    return _COLUMNAR[media_type][0](BytesIO(response.body)).to_dicts()


def replace(response: BufferedResponse, rows: Rows) -> None:
    """Replace the rows of a response, and remove its entity tag."""
    del response.headers["ETag"]
    media_type = response.headers["Content-Type"]
    if media_type == JSON:
        response.body = json.dumps({**json.loads(response.body), "result": rows}).encode()
    elif media_type == NDJSON:
        response.body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    else:
        written = BytesIO()
        _COLUMNAR[media_type][1](_frame(rows), written)
        response.body = written.getvalue()


def _frame(rows: Rows) -> pl.DataFrame:
    # A column has one type: a single text makes all values text.
    if not rows:
        return pl.DataFrame(schema=SCHEMA)
    frame = pl.DataFrame(rows, infer_schema_length=None, strict=False)
    return frame.select(
        pl.col(name) if frame.schema[name] == pl.String else pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()
    )


class BadRows(Profile):
    """A layer that changes rows."""

    def change(self, response: BufferedResponse) -> None:
        """Replace the rows."""
        replace(response, self.spoil(read(response)))

    def spoil(self, found: Rows) -> Rows:
        """Return other rows."""
        return [row | self.spoilt(row) if row["movieId"] % _BAD == 0 else row for row in found]

    def spoilt(self, _row: dict[str, Any]) -> dict[str, Any]:
        """Return the wrong values of a row."""
        return {}


class DuplicateRows(BadRows):
    """The third row of a response is a copy of the second."""

    def spoil(self, found: Rows) -> Rows:
        """Repeat a row in place of another, so that the number of rows is right."""
        return [*found[:2], *found[1:2], *found[3:]] if len(found) > 2 else found  # noqa: PLR2004 - the third


class RowsOutOfOrder(BadRows):
    """The second and the third row of a response are swapped."""

    def spoil(self, found: Rows) -> Rows:
        """Swap them."""
        return [*found[:1], *found[1:3][::-1], *found[3:]]


class NanRatings(BadRows):
    """Ratings of movies whose ID ends in 0 are NaN, in JSON too."""

    def spoilt(self, _row: dict[str, Any]) -> dict[str, Any]:
        """Return the rating."""
        return {"rating": float("nan")}


class OffStepRatings(BadRows):
    """Ratings of movies whose ID ends in 0 are 3.7, which is not a multiple of 0.5."""

    def spoilt(self, _row: dict[str, Any]) -> dict[str, Any]:
        """Return the rating."""
        return {"rating": _OFF_STEP}


class TextNumbers(BadRows):
    """In rows of movies whose ID ends in 0, numbers are strings; in Arrow and Parquet, in all rows."""

    def spoilt(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return all columns."""
        return {name: str(value) for name, value in row.items()}


class NullValues(BadRows):
    """In rows of movies whose ID ends in 0, the user is null."""

    def spoilt(self, _row: dict[str, Any]) -> dict[str, Any]:
        """Return the user."""
        return {"userId": None}
