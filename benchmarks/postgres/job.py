"""The work of a competitor, and what it costs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import polars as pl

from benchmarks.cost import Cost, cost_of
from benchmarks.processes import PROC

NAMES = '"userId", "movieId", rating, "timestamp"'
TYPES = '"userId" integer NOT NULL, "movieId" integer NOT NULL, rating real NOT NULL, "timestamp" bigint NOT NULL'
KEY = '"timestamp", "userId", "movieId"'


class Job(NamedTuple):
    """What a competitor loads, and where.

    Attributes:
        url: The URL of the database.
        file: The Parquet file of ratings.
        rows: How many of its ratings to load.
    """

    url: str
    file: Path
    rows: int

    def ratings(self) -> pl.DataFrame:
        """Read the ratings at once, as is usual."""
        return pl.read_parquet(self.file, n_rows=self.rows)


def do(work: Callable[[Job], object]) -> None:
    """Do the work that the command line describes, and print its cost; memory is what it adds to the process."""
    url, file, rows = sys.argv[1:]
    before = _memory()
    cost: Cost = cost_of(lambda: work(Job(url, Path(file), int(rows))))
    print(json.dumps(asdict(replace(cost, megabytes=(cost.megabytes or 0) - before))))


def _memory() -> float:
    """Return the resident memory of this process in megabytes."""
    lines = (PROC / "self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024 / 1e6
