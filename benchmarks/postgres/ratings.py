"""The generated ratings to load, and the same ratings with changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.progress import say
from benchmarks.rank.dataset import write_ratings

FIRST_DAY, LAST_DAY = "1995-01-01", "2020-01-01"
"""The generated ratings lie between these days."""

_ONE_OF = 100


@dataclass(frozen=True)
class RatingsFiles:
    """Files of ratings.

    Attributes:
        plain: The ratings.
        changed: The same ratings, of which every hundredth is gone and every hundredth has another value.
    """

    plain: Path
    changed: Path

    @classmethod
    def prepared(cls, folder: Path, rows: int) -> RatingsFiles:
        """Return files of so many ratings; they are written once."""
        folder.mkdir(parents=True, exist_ok=True)
        files = cls(folder / f"{rows}.parquet", folder / f"{rows}-changed.parquet")
        if not files.changed.exists():
            say(f"writing {rows:,} ratings to {folder}, once")
            write_ratings(files.plain, rows)
            number = pl.int_range(pl.len()) % _ONE_OF
            stars = pl.when(number == 1).then(5.5 - pl.col("rating")).otherwise("rating").cast(pl.Float32)
            changed = pl.read_parquet(files.plain).with_columns(rating=stars).filter(number > 0)
            changed.write_parquet(files.changed)
        return files


def sums_of(file: Path, rows: int) -> tuple[float, ...]:
    """Return the number of ratings and the sum of each column, to compare with a table."""
    numbers = pl.all().cast(pl.Float64).sum()
    return pl.scan_parquet(file, n_rows=rows).select(pl.len().cast(pl.Float64).alias("rows"), numbers).collect().row(0)
