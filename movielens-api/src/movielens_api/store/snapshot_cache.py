"""A cache of snapshots."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from movielens_api.table.snapshots import Snapshot


class SnapshotCache:
    """The most recently used snapshots. It is thread-safe.

    Args:
        most: How many snapshots to keep.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_version: dict[int, Snapshot] = {}
        self._lock = Lock()

    def add(self, snapshot: Snapshot) -> None:
        """Add a snapshot as the most recently used one."""
        with self._lock:
            self._by_version.pop(snapshot.version, None)
            self._by_version[snapshot.version] = snapshot
            while len(self._by_version) > self._most:
                self._by_version.pop(next(iter(self._by_version)))

    def get(self, version: int) -> Snapshot | None:
        """Return the snapshot of a version and mark it as used, or return None."""
        with self._lock:
            found = self._by_version.get(version)
            if found:
                self._by_version[version] = self._by_version.pop(version)
            return found

    def nearest(self, first: int, last: int) -> Snapshot | None:
        """Return the latest snapshot from one version to another, both inclusive, or None."""
        with self._lock:
            within = [version for version in self._by_version if first <= version <= last]
            return self._by_version[max(within)] if within else None
