"""Polars without us: ``plain_polars unique|exact`` counts ratings or distinct users, and takes the mean."""

from __future__ import annotations

import sys

import polars as pl

from benchmarks.cost import measure


def _rank() -> None:
    ratings, output, users = sys.argv[1:]
    number = pl.len() if users == "unique" else pl.col("userId").n_unique()
    grouped = pl.scan_parquet(ratings).group_by("movieId").agg(num_ratings=number, avg_rating=_mean())
    grouped.collect(engine="streaming").write_csv(output)


def _mean() -> pl.Expr:
    return pl.col("rating").cast(pl.Float64).mean()


if __name__ == "__main__":
    measure(_rank)
