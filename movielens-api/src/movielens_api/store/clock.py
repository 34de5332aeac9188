"""The clock of a store. It advances evenly while the server runs, even if the clock of the computer is set.

Otherwise, setting the clock forward would end all leases and idempotency keys, and setting it back would keep them for
ever. The clock begins with the time of the computer when the server starts. All its processes share it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_TABLE = "CREATE TABLE IF NOT EXISTS clock (started REAL NOT NULL, monotonic REAL NOT NULL)"


def start(connection: sqlite3.Connection) -> int:
    """Start the clock, and return its time.

    Args:
        connection: A connection in a write transaction.
    """
    connection.execute(_TABLE)
    connection.execute("DELETE FROM clock")
    connection.execute("INSERT INTO clock VALUES (?, ?)", (time.time(), time.monotonic()))
    return now(connection)


def now(connection: sqlite3.Connection) -> int:
    """Return the time in Unix seconds."""
    [started, monotonic] = connection.execute("SELECT started, monotonic FROM clock").fetchone()
    return int(started + time.monotonic() - monotonic)
