"""DuckDB: ``duckdb_sql unique|exact`` counts ratings or distinct users, and takes the mean."""

from __future__ import annotations

import sys

import duckdb

from benchmarks.cost import measure


def _rank() -> None:
    ratings, output, users = sys.argv[1:]
    number = "count(*)" if users == "unique" else "count(DISTINCT userId)"
    ranking = f"SELECT movieId, {number} AS num_ratings, avg(rating) AS avg_rating FROM '{ratings}' GROUP BY movieId"  # noqa: S608
    duckdb.execute(f"COPY ({ranking}) TO '{output}' (HEADER)")


if __name__ == "__main__":
    measure(_rank)
