"""A bare scan, the limit: every column is read and added up, and nothing is ranked."""

from __future__ import annotations

import sys

import polars as pl

from benchmarks.cost import measure


def _scan() -> None:
    pl.scan_parquet(sys.argv[1]).select(pl.all().sum()).collect(engine="streaming")


if __name__ == "__main__":
    measure(_scan)
