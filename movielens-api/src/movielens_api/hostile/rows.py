"""The rows of an answer, whatever its format."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import polars as pl

from movielens_api.formats import FORMATS
from movielens_api.hostile.layer import Answer
from movielens_api.pages import MEDIA_TYPE as JSON
from movielens_api.ratings_table import SCHEMA

NDJSON, CSV, ARROW, PARQUET = FORMATS
COLUMNAR: dict[str, tuple[Callable[..., pl.DataFrame], Callable[..., Any]]] = {
    CSV: (pl.read_csv, pl.DataFrame.write_csv),
    ARROW: (pl.read_ipc_stream, pl.DataFrame.write_ipc_stream),
    PARQUET: (pl.read_parquet, pl.DataFrame.write_parquet),
}
Rows = list[dict[str, Any]]


def read(answer: Answer) -> Rows:
    """Return the rows of an answer."""
    media_type = answer.headers["Content-Type"]
    if media_type == JSON:
        found: Rows = json.loads(answer.body)["result"]
        return found
    if media_type == NDJSON:
        return [json.loads(line) for line in answer.body.splitlines()]
    return COLUMNAR[media_type][0](BytesIO(answer.body)).to_dicts()


def replace(answer: Answer, rows: Rows) -> None:
    """Put other rows into an answer, as wrong as they are. Its tag was that of the true ones."""
    del answer.headers["ETag"]
    media_type = answer.headers["Content-Type"]
    if media_type == JSON:
        answer.body = json.dumps({**json.loads(answer.body), "result": rows}).encode()
    elif media_type == NDJSON:
        answer.body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    else:
        written = BytesIO()
        COLUMNAR[media_type][1](_frame(rows), written)
        answer.body = written.getvalue()


def _frame(rows: Rows) -> pl.DataFrame:
    # A column has one type: one text makes it texts.
    if not rows:
        return pl.DataFrame(schema=SCHEMA)
    frame = pl.DataFrame(rows, infer_schema_length=None, strict=False)
    return frame.select(
        pl.col(name) if frame.schema[name] == pl.String else pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()
    )
