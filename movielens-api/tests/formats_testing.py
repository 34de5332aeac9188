"""Readers of every format that ratings come in, other than the server's own code."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from io import BytesIO, StringIO
from typing import Any

import polars as pl

from movielens_api.formats import FORMATS

NDJSON, CSV, ARROW, PARQUET = FORMATS
COLUMNS = ["userId", "movieId", "rating", "timestamp"]
Rows = list[dict[str, Any]]


def read_csv(body: bytes) -> Rows:
    kinds = {"userId": int, "movieId": int, "rating": float, "timestamp": int}
    return [{name: kinds[name](text) for name, text in row.items()} for row in csv.DictReader(StringIO(body.decode()))]


def frame_rows(frame: pl.DataFrame) -> Rows:
    assert frame.schema == {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
    return frame.to_dicts()


READERS: dict[str, Callable[[bytes], Rows]] = {
    NDJSON: lambda body: [json.loads(line) for line in body.splitlines()],
    CSV: read_csv,
    ARROW: lambda body: frame_rows(pl.read_ipc_stream(BytesIO(body))),
    PARQUET: lambda body: frame_rows(pl.read_parquet(BytesIO(body))),
}
