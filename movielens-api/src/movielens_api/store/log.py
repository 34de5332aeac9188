"""The log of posted ratings: rows in the order in which they were accepted, each with the next number."""

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
    """Return the latest version: the number of the last row ever accepted."""
    return int(
        connection.execute(
            "SELECT max(coalesce((SELECT max(seq) FROM log), 0), (SELECT max(version) FROM generations))"
        ).fetchone()[0]
    )


def append(connection: sqlite3.Connection, after: int, rows: Sequence[Row], received: int) -> int:
    """Write rows behind the latest version.

    Args:
        connection: one in a writing transaction.
        after: the latest version.
        rows: what to write.
        received: when the rows came, in Unix seconds.

    Returns:
        The version that these rows make.
    """
    numbered = ((number, *row, received) for number, row in enumerate(rows, after + 1))
    connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)", numbered)
    return after + len(rows)


def between(connection: sqlite3.Connection, after: int, last: int) -> pl.DataFrame:
    """Return the rows after one version up to and with another, in order."""
    found = connection.execute(
        "SELECT userId, movieId, rating, timestamp FROM log WHERE seq > ? AND seq <= ? ORDER BY seq", (after, last)
    ).fetchall()
    # A tuple per column: polars builds it in four fifths of the time that rows take.
    columns = zip(*found, strict=True) if found else ((),) * len(SCHEMA)
    return pl.DataFrame([pl.Series(name, each, SCHEMA[name]) for name, each in zip(SCHEMA, columns, strict=True)])


def last_received(connection: sqlite3.Connection) -> int | None:
    """Return when the last row came, in Unix seconds, or None if the log is empty."""
    found = connection.execute("SELECT received FROM log ORDER BY seq DESC LIMIT 1").fetchone()
    return None if found is None else int(found[0])
