"""The log of posted ratings: numbered rows in the order in which they were accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from movielens_api.table.ratings_table import SCHEMA

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

# userId, movieId, rating, timestamp
Row = tuple[int, int, float, int]


def newest(connection: sqlite3.Connection) -> int:
    """Return the latest version: the number of the last accepted row."""
    return int(
        connection.execute(
            "SELECT max(coalesce((SELECT max(seq) FROM log), 0), (SELECT max(version) FROM generations))"
        ).fetchone()[0]
    )


def append(connection: sqlite3.Connection, after: int, rows: Sequence[Row], received: int) -> int:
    """Append rows to the log.

    Args:
        connection: A connection in a write transaction.
        after: The latest version.
        rows: The rows to append.
        received: When the rows were received, in Unix seconds.

    Returns:
        The new version.
    """
    numbered = ((number, *row, received) for number, row in enumerate(rows, after + 1))
    connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", numbered)
    return after + len(rows)


def between(connection: sqlite3.Connection, after: int, last: int) -> pl.DataFrame:
    """Return the rows after one version, up to and including another, in order."""
    found = connection.execute(
        "SELECT userId, movieId, rating, timestamp FROM log WHERE seq > ? AND seq <= ? ORDER BY seq", (after, last)
    ).fetchall()
    # By column, which takes polars four fifths of the time that rows take.
    columns = zip(*found, strict=True) if found else ((),) * len(SCHEMA)
    return pl.DataFrame([pl.Series(name, each, SCHEMA[name]) for name, each in zip(SCHEMA, columns, strict=True)])


def last_received(connection: sqlite3.Connection) -> int | None:
    """Return when the last row was received, in Unix seconds, or None if the log is empty."""
    found = connection.execute("SELECT received FROM log ORDER BY seq DESC LIMIT 1").fetchone()
    return None if found is None else int(found[0])
