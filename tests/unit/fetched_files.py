"""The expected files of a fetch, and files read back."""

from __future__ import annotations

import csv
import gzip
import json
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl
from unit.model import SCHEMA

from airflow_movielens.ratings.paths import FileFormat
from airflow_movielens.ratings.writing import write_rows

if TYPE_CHECKING:
    from unit.model import Row


@lru_cache(1000)
def reference(rows: str, name: str) -> bytes:
    """Return the file that a fetch of these rows writes if nothing goes wrong."""
    frame = pl.DataFrame(json.loads(rows), schema=SCHEMA)
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_rows(frame.lazy(), path, FileFormat.of(name))
        return path.read_bytes()


def rows_of(content: bytes, name: str) -> list[Row]:
    """Read a file without the package's own code."""
    if name.endswith(".parquet"):
        frame = pl.read_parquet(content)
        assert dict(frame.schema) == SCHEMA
        return frame.to_dicts()
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
    if ".csv" in name:
        rows = csv.DictReader(text.splitlines())
        return [{key: float(value) if key == "rating" else int(value) for key, value in row.items()} for row in rows]
    is_array = name.removesuffix(".gz").endswith(".json")
    return json.loads(text) if is_array else [json.loads(line) for line in text.splitlines()]
