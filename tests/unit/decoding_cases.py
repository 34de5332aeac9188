"""Responses for the tests of parsing."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import polars as pl

from airflow_movielens.client.errors import Exchange
from airflow_movielens.client.http.responses import Response
from airflow_movielens.client.parsing.pages import JSON
from airflow_movielens.client.window import Window
from airflow_movielens.ratings.schema import RATINGS

URL = "http://api.test:5000/v1/ratings?offset=0&limit=1000"
EXCHANGE = Exchange("GET", URL, 200)
ALWAYS = Window()


def rows_of(count: int) -> list[dict[str, Any]]:
    """Return ratings in canonical order with equal timestamps, ids of different lengths, and all stars."""
    return [
        {"userId": n % 5 * 300 + n // 5, "movieId": n * 37 % 9000 + 1, "rating": n % 10 / 2 + 0.5, "timestamp": n // 5 * 7}
        for n in range(count)
    ]  # fmt: skip


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def envelope(array: bytes, total: int = 7) -> bytes:
    return b'{"result":%b,"offset":0,"limit":1000,"total":%d}' % (array, total)


def response(body: bytes, media_type: str = JSON, **headers: str) -> Response:
    return Response(body, media_type, {name.replace("_", "-"): value for name, value in headers.items()}, EXCHANGE, URL)


def arrow(rows: list[dict[str, Any]] | pl.DataFrame, rows_a_batch: int = 10) -> bytes:
    """Return an Arrow stream of several record batches, each as Polars writes it."""
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, schema=RATINGS.polars_schema())
    schema = _stream(frame.head(0))
    schema = schema[: 8 + int.from_bytes(schema[4:8], "little")]
    batches = (_stream(part)[len(schema) : -8] for part in frame.iter_slices(rows_a_batch))
    return b"".join([schema, *batches, b"\xff\xff\xff\xff\0\0\0\0"])


def _stream(frame: pl.DataFrame) -> bytes:
    written = BytesIO()
    frame.write_ipc_stream(written)
    return written.getvalue()


def ndjson(rows: list[Any]) -> bytes:
    return b"".join(compact(row) + b"\n" for row in rows)
