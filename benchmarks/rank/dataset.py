"""The generated ratings to rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

MOVIES, USERS_AT_ONCE, ROWS_PER_USER = 59_000, 5_000, 155
FIRST, LAST = 789_652_009, 1_574_327_703
SCHEMA = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}


def write_ratings(path: Path, rows: int) -> None:
    """Write ratings in the order of their time, in which no user rates a movie twice; few movies have most of them.

    Args:
        path: The Parquet file, which appears whole or not at all.
        rows: The number of ratings.
    """
    random = np.random.default_rng(14)
    frames, users, left = [], 0, rows
    while left:
        frame = _of_users(random, users).head(left)
        frames.append(frame)
        users, left = users + USERS_AT_ONCE, left - len(frame)
    _write(pl.concat(frames), path)


def write_re_ratings(path: Path, ratings: Path, every: int) -> None:
    """Write the same ratings, of which some are rated again a thousand seconds later.

    Args:
        path: The Parquet file, which appears whole or not at all.
        ratings: The file that `write_ratings` has written.
        every: One of so many ratings is rated again.
    """
    once = pl.read_parquet(ratings)
    again = once.gather_every(every).with_columns(pl.col("timestamp") + 1000, rating=pl.lit(3.0, pl.Float32))
    _write(pl.concat([once, again]), path)


def _of_users(random: np.random.Generator, first: int) -> pl.DataFrame:
    number = USERS_AT_ONCE * ROWS_PER_USER
    columns = {
        "userId": first + random.integers(1, USERS_AT_ONCE + 1, number),
        "movieId": (random.pareto(1.1, number) * 400).astype(np.int64) % MOVIES + 1,
        "rating": random.integers(1, 11, number) / 2,
        "timestamp": random.integers(FIRST, LAST, number),
    }
    return pl.DataFrame(columns).cast(SCHEMA).unique(["userId", "movieId"], keep="first", maintain_order=True)  # type: ignore[arg-type]


def _write(ratings: pl.DataFrame, path: Path) -> None:
    partial = path.with_suffix(".part")
    ratings.sort("timestamp", "userId", "movieId").write_parquet(partial, row_group_size=250_000)
    partial.rename(path)
