"""Generations of the sorted base: which version each holds, and how long it is kept.

Generation 0 is the dataset. A version is rebuilt from the last generation not after it, and the log between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

# The latest, and the one before for readers that have not switched yet; beyond these as long as somebody needs them.
FEWEST_KEPT = 2
MOST_KEPT = 4


@dataclass(frozen=True)
class Generation:
    """A sorted base.

    Attributes:
        number: 0 is the dataset.
        version: the version that it holds.
    """

    number: int
    version: int


def kept(connection: sqlite3.Connection) -> list[Generation]:
    """Return the generations that there are, oldest first."""
    found = connection.execute("SELECT number, version FROM generations ORDER BY number").fetchall()
    return [Generation(*each) for each in found]


def holding(connection: sqlite3.Connection, version: int) -> Generation | None:
    """Return the generation that a version is rebuilt from, or None if that is gone."""
    return max((each for each in kept(connection) if each.version <= version), key=lambda g: g.number, default=None)


def add(connection: sqlite3.Connection, generation: Generation) -> None:
    """Make a generation the latest.

    Args:
        connection: one in a writing transaction.
        generation: the generation, which is on disk.
    """
    connection.execute("INSERT INTO generations VALUES (?, ?)", (generation.number, generation.version))


def retire(connection: sqlite3.Connection, needed: int | None) -> None:
    """Forget generations that nobody needs, and the part of the log before those that stay.

    Args:
        connection: one in a writing transaction.
        needed: the oldest version that somebody pages through, if any.
    """
    all_kept = kept(connection)
    dispensable = len(all_kept) - FEWEST_KEPT
    while dispensable > 0 and needed is not None and needed < all_kept[dispensable].version:
        dispensable -= 1
    oldest = all_kept[max(dispensable, len(all_kept) - MOST_KEPT, 0)]
    connection.execute("DELETE FROM generations WHERE number < ?", (oldest.number,))
    connection.execute("DELETE FROM log WHERE seq <= ?", (oldest.version,))
