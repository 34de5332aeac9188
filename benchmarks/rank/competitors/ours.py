"""`rank_large`: ``ours METHOD unique|exact trusted|checked``. Operators and `movielens rank` check the values first."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from airflow_movielens.ranking import RankingOptions, rank_large
from airflow_movielens.ratings.reading import scan_files
from airflow_movielens.ratings.schema import RATINGS
from benchmarks.cost import measure


def _rank() -> None:
    ratings, output, method, users, values = sys.argv[1:]
    scanned = scan_files([Path(ratings)], RATINGS) if values == "checked" else pl.scan_parquet(ratings)
    ranking = rank_large(scanned, RankingOptions(method, unique=users == "unique"))
    ranking.write_csv(output)


if __name__ == "__main__":
    measure(_rank)
