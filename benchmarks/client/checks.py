"""The check that the output of a client is right."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import date
from io import BytesIO
from pathlib import Path

import polars as pl

from benchmarks.client.dataset import Dataset
from benchmarks.client.job import Job
from benchmarks.client.pages import Page, json_page
from benchmarks.client.shapes import COMPACT
from benchmarks.failure import BenchmarkError

# dlt's names of columns.
RENAMED = {"user_id": "userId", "movie_id": "movieId"}


def check(job: Job, dataset: Dataset) -> None:
    """Compare the output of a competitor with the dataset, row by row and in order.

    Raises:
        BenchmarkError: They differ.
    """
    output, window = Path(job.output), (date.fromisoformat(job.start), date.fromisoformat(job.end))
    if output.suffix == ".bytes":
        found: object = int(output.read_text(encoding="utf-8"))
        expected: object = sum(_sizes(*dataset.bounds(*window), job.limit, dataset))
        is_right = found == expected
    else:
        rows, right = _read(output), dataset.window(*window)
        rows = rows.select(pl.col(name).cast(dtype) for name, dtype in right.schema.items())
        found, expected, is_right = rows.describe(), right.describe(), rows.equals(right)
    if not is_right:
        raise BenchmarkError(f"{output.name} is wrong: found {found}\nexpected {expected}")


def _read(output: Path) -> pl.DataFrame:
    if output.suffix == ".json":
        return pl.read_json(output)
    if output.suffix == ".parquet":
        return pl.read_parquet(output)
    # dlt neither promises an order nor writes a single file.
    files = sorted(output.glob("loaded/api/ratings/*.jsonl.gz"))
    rows = pl.concat(pl.read_ndjson(BytesIO(gzip.decompress(file.read_bytes()))) for file in files)
    return rows.rename(RENAMED).sort("timestamp", "userId", "movieId")


def _sizes(first: int, end: int, page_size: int, dataset: Dataset) -> Iterable[int]:
    for offset in range(0, end - first, page_size):
        yield sum(map(len, json_page(Page(first, end, offset, page_size), dataset, COMPACT)))
