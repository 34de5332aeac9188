"""Answers with many rows: a slice of a frame in an envelope, encoded without a Python object per row."""

from io import BytesIO
from typing import Generic, TypeVar

import polars as pl
from pydantic import BaseModel, Field
from starlette.responses import Response

from movielens_api.parameters import Paging

MEDIA_TYPE = "application/json"
Row = TypeVar("Row", bound=BaseModel)


class Page(BaseModel, Generic[Row]):
    """Some rows, and how many there are in all. Only documents answers; `page` writes them."""

    result: list[Row]
    offset: int = Field(description="How many rows were skipped.", examples=[0])
    limit: int = Field(description="How many rows were asked for.", examples=[100])
    total: int = Field(description="How many rows there are in all.", examples=[100004])


def page(rows: pl.DataFrame, paging: Paging) -> Response:
    """Answer with the part of the rows that `paging` asks for."""
    part = rows.slice(paging.offset, paging.limit)
    before, after = envelope(offset=paging.offset, limit=paging.limit, total=rows.height)
    body = BytesIO()
    body.write(before)
    part.write_json(body)
    body.write(after)
    return Response(body.getvalue(), media_type=MEDIA_TYPE)


def envelope(*, offset: int, limit: int, total: int) -> tuple[bytes, bytes]:
    """Return what comes before and after an array of rows, to say what they are a part of."""
    return b'{"result":', b',"offset":%d,"limit":%d,"total":%d}' % (offset, limit, total)
