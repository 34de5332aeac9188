"""The versions of the ratings that a process has at hand."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from movielens_api.table.snapshots import Snapshot


class SnapshotCache:
    """Some snapshots; of more than fit, those used last. Any thread may use it.

    Args:
        most: how many fit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_version: dict[int, Snapshot] = {}
        self._lock = Lock()

    def add(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, as the one used last."""
        with self._lock:
            self._by_version.pop(snapshot.version, None)
            self._by_version[snapshot.version] = snapshot
            while len(self._by_version) > self._most:
                self._by_version.pop(next(iter(self._by_version)))

    def get(self, version: int) -> Snapshot | None:
        """Return the snapshot of a version, if it is at hand, as the one used last."""
        with self._lock:
            found = self._by_version.get(version)
            if found:
                self._by_version[version] = self._by_version.pop(version)
            return found

    def nearest(self, first: int, last: int) -> Snapshot | None:
        """Return the latest snapshot from one version to another, both inclusive, if there is one."""
        with self._lock:
            within = [version for version in self._by_version if first <= version <= last]
            return self._by_version[max(within)] if within else None
