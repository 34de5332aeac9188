"""Leases: versions that somebody pages through, and until when they stay, known to every process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

SECONDS = 900
SECONDS_BETWEEN_RENEWALS = 60


def renew(connection: sqlite3.Connection, versions: Iterable[int], now: int) -> None:
    """Keep versions for a while from now, in Unix seconds; a lease is renewed once a minute, so a minute more."""
    until = now + SECONDS + SECONDS_BETWEEN_RENEWALS
    connection.executemany("INSERT OR REPLACE INTO leases VALUES (?, ?)", ((version, until) for version in versions))
    connection.execute("DELETE FROM leases WHERE until < ?", (now,))


def oldest(connection: sqlite3.Connection, now: int) -> int | None:
    """Return the oldest version that is leased now, in Unix seconds, if any."""
    found = connection.execute("SELECT min(version) FROM leases WHERE until >= ?", (now,)).fetchone()[0]
    return None if found is None else int(found)


class Renewals:
    """Which leases this process renewed lately, so that a cursor seldom costs a write."""

    def __init__(self) -> None:
        self._renewed: dict[int, float] = {}

    def is_due(self, version: int, now: float) -> bool:
        """Tell whether a version's lease should be renewed; if so, count it as renewed now (monotonic seconds)."""
        if now - self._renewed.get(version, -SECONDS_BETWEEN_RENEWALS) < SECONDS_BETWEEN_RENEWALS:
            return False
        fresh = {v: at for v, at in self._renewed.items() if now - at < SECONDS_BETWEEN_RENEWALS}
        self._renewed = {**fresh, version: now}
        return True
