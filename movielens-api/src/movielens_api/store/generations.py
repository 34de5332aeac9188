"""Generations of the sorted base, and the leases that decide how long they are kept.

Generation 0 is the dataset. A version is rebuilt from the last generation that is not newer, and the log after it.
A lease keeps a version that a client pages through. All processes share the leases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

# The latest, and the one before it for readers that have not switched yet. More are kept while a lease needs them.
_MIN_KEPT = 2
MAX_KEPT = 4
_LEASE_SECONDS = 900
_SECONDS_BETWEEN_RENEWALS = 60


@dataclass(frozen=True)
class Generation:
    """A sorted base.

    Attributes:
        number: The number of the generation. 0 is the dataset.
        version: The version that the generation contains.
    """

    number: int
    version: int


def list_all(connection: sqlite3.Connection) -> list[Generation]:
    """Return all generations that are kept, oldest first."""
    found = connection.execute("SELECT number, version FROM generations ORDER BY number").fetchall()
    return [Generation(*each) for each in found]


def find(connection: sqlite3.Connection, version: int) -> Generation | None:
    """Return the generation that a version is rebuilt from, or None if it was retired."""
    not_newer = (each for each in list_all(connection) if each.version <= version)
    return max(not_newer, key=lambda generation: generation.number, default=None)


def add(connection: sqlite3.Connection, generation: Generation) -> None:
    """Make a generation the latest.

    Args:
        connection: A connection in a write transaction.
        generation: The generation, which is already on disk.
    """
    connection.execute("INSERT INTO generations VALUES (?, ?)", (generation.number, generation.version))


def retire(connection: sqlite3.Connection, needed: int | None) -> None:
    """Delete the generations that are no longer needed, and the part of the log that they contain.

    Args:
        connection: A connection in a write transaction.
        needed: The oldest version with a lease, if any.
    """
    generations = list_all(connection)
    first = len(generations) - _MIN_KEPT
    while first > 0 and needed is not None and needed < generations[first].version:
        first -= 1
    oldest = generations[max(first, len(generations) - MAX_KEPT, 0)]
    connection.execute("DELETE FROM generations WHERE number < ?", (oldest.number,))
    connection.execute("DELETE FROM log WHERE seq <= ?", (oldest.version,))


def renew_leases(connection: sqlite3.Connection, versions: Iterable[int], now: int) -> None:
    """Keep versions for ``_LEASE_SECONDS``, and delete expired leases.

    Args:
        connection: A connection in a write transaction.
        versions: The versions to keep.
        now: The current time in Unix seconds.
    """
    # Renewals are rate-limited, so a lease lasts that much longer.
    until = now + _LEASE_SECONDS + _SECONDS_BETWEEN_RENEWALS
    connection.executemany("INSERT OR REPLACE INTO leases VALUES (?, ?)", ((version, until) for version in versions))
    connection.execute("DELETE FROM leases WHERE until < ?", (now,))


def oldest_lease(connection: sqlite3.Connection, now: int) -> int | None:
    """Return the oldest version with a lease at a time in Unix seconds, or None if there is none."""
    found = connection.execute("SELECT min(version) FROM leases WHERE until >= ?", (now,)).fetchone()[0]
    return None if found is None else int(found)


class RenewalTimer:
    """The leases that this process renewed recently, so that following a cursor rarely causes a write."""

    def __init__(self) -> None:
        self._renewed: dict[int, float] = {}

    def is_due(self, version: int, now: float) -> bool:
        """Return whether to renew the lease of a version. If so, count it as renewed.

        Args:
            version: The version.
            now: The current time of a monotonic clock, in seconds.
        """
        if now - self._renewed.get(version, -_SECONDS_BETWEEN_RENEWALS) < _SECONDS_BETWEEN_RENEWALS:
            return False
        recent = {each: at for each, at in self._renewed.items() if now - at < _SECONDS_BETWEEN_RENEWALS}
        self._renewed = {**recent, version: now}
        return True
