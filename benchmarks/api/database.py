"""The ratings of our server in an SQLite file, for the competitors."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from benchmarks.days import RatingDays
from benchmarks.servers import Server

ARROW = "application/vnd.apache.arrow.stream"
ROWS_AT_ONCE = 500_000
EPOCH = date(1970, 1, 1)
TABLE = """
CREATE TABLE ratings (
    id INTEGER NOT NULL PRIMARY KEY, "movieId" INTEGER NOT NULL, rating FLOAT NOT NULL, timestamp INTEGER NOT NULL,
    "userId" INTEGER NOT NULL
)
"""
INDEX = 'CREATE INDEX ratings_in_order ON ratings (timestamp, "userId", "movieId")'


def write(server: Server, path: Path) -> None:
    """Fetch all ratings from a server and write them to a file, which appears whole or not at all."""
    ratings = pl.read_ipc_stream(server.get("/ratings", Accept=ARROW)[1])
    partial = path.with_suffix(".part")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial)) as database, database:
        # No durability: the file can be created again.
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA journal_mode = OFF")
        database.execute(TABLE)
        for slice_ in ratings.select("movieId", "rating", "timestamp", "userId").iter_slices(ROWS_AT_ONCE):
            statement = 'INSERT INTO ratings ("movieId", rating, timestamp, "userId") VALUES (?, ?, ?, ?)'
            database.executemany(statement, slice_.iter_rows())
        database.execute(INDEX)
        database.execute("ANALYZE")
    partial.rename(path)


def rating_days(path: Path) -> RatingDays:
    """Count the ratings of each day that has any."""
    counting = "SELECT timestamp / 86400, count(*) FROM ratings GROUP BY 1 ORDER BY 1"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return RatingDays([(EPOCH + timedelta(day), rows) for day, rows in database.execute(counting)])
