"""The versions of the ratings in this process: the latest committed one, and any other on demand.

Readers never wait for a writer: they use immutable tables, and a new table replaces the latest one.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from threading import Lock
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from movielens_api.store import database, generations, row_log
from movielens_api.table.base_files import DamagedBaseError, open_base
from movielens_api.table.snapshots import Origin, Snapshot, SnapshotGoneError

if TYPE_CHECKING:
    from movielens_api.store.database import Files
    from movielens_api.store.generations import Generation
    from movielens_api.table.ratings_table import RatingsTable

# Snapshots share layers, so each costs little more than the ratings posted between two of them.
_CACHED_SNAPSHOTS = 256


class Versions:
    """All available versions.

    Args:
        files: The files of the store.
        dataset: The ratings before anything was posted: generation 0.
        origin: The origin of the versions, which names them.

    Attributes:
        base: The generation on which the latest version is built, as a snapshot.
        generation: The latest generation that any process wrote.
    """

    def __init__(self, files: Files, dataset: RatingsTable, origin: Origin) -> None:
        self.origin = origin
        self._files = files
        self._dataset = dataset
        self._recent = SnapshotCache(_CACHED_SNAPSHOTS)
        self._lock = Lock()
        self._watching = files.connect()
        self._watching_lock = Lock()
        self._reading = files.connect()
        self._seen = self._changes()
        self._users_are_indexed = False
        with database.reading(self._reading):
            self.generation = generations.list_all(self._reading)[-1]
            self.base = self._open(self.generation)
            self._latest = self._build(self.base, row_log.newest(self._reading))

    @property
    def latest(self) -> Snapshot:
        """The latest version that this process has read."""
        return self._latest

    def is_fresh(self) -> bool:
        """Return whether nothing was committed since this process last read. Takes a few microseconds."""
        return self._changes() == self._seen

    async def find(self, version: int) -> Snapshot:
        """Return a version. If it is not cached, this takes a moment.

        Raises:
            SnapshotGoneError: The generation to rebuild it from was retired, or the version never existed.
        """
        if version == self._latest.version:
            return self._latest
        at_hand = self._recent.get(version)
        return at_hand if at_hand else await run_in_threadpool(self._rebuild, version)

    def cache(self, snapshot: Snapshot) -> None:
        """Cache a snapshot that is likely to be requested."""
        self._recent.add(snapshot)

    def refresh(self, max_rows: float = inf) -> bool:
        """Read what was committed since the last time.

        Args:
            max_rows: Do nothing if there are more new rows than this. If it is finite, also do nothing while another
                thread is reading.

        Returns:
            Whether the latest version was read.
        """
        if not self._lock.acquire(blocking=max_rows == inf):
            return False
        try:
            return self._refresh(max_rows)
        finally:
            self._lock.release()

    def _refresh(self, max_rows: float) -> bool:
        # Read first, so that anything committed from here on counts as another change.
        seen = self._changes()
        with database.reading(self._reading):
            newest, kept = row_log.newest(self._reading), generations.list_all(self._reading)
            is_at_hand = self._latest.version >= kept[0].version
            if max_rows < inf and (not is_at_hand or newest - self._latest.version > max_rows):
                return False
            start = self._latest if is_at_hand else self._open_next(kept[-1])
            self._latest = self._build(start, newest)
            self.generation = kept[-1]
        self._seen = seen
        return True

    def index_users(self) -> None:
        """Index the ratings of the latest version, and of each later one, by user; see `RatingsTable.index_users`."""
        self._users_are_indexed = True
        self._latest.ratings.index_users()

    def unload(self) -> None:
        """Give back the memory of the ratings; see `RatingsTable.unload`."""
        for ratings in (self._dataset, self._latest.ratings):
            ratings.unload()

    def fold(self) -> None:
        """Make the latest version cheaper to read if it has become expensive."""
        base, latest = self.base, self._latest
        folded = replace(latest, ratings=latest.ratings.folded())
        if folded.ratings is latest.ratings:
            return
        with self._lock, database.reading(self._reading):
            # Skip it if the base changed meanwhile. Versions committed meanwhile are rebuilt on the folded one.
            if self.base is base and self._can_build_on(folded):
                self._latest = self._build(folded, self._latest.version)

    def rebase(self) -> None:
        """Rebuild the latest version on the latest generation: the same ratings, cheaper to read, in less memory."""
        base = self._open_next(self.generation)
        with self._lock, database.reading(self._reading):
            # Otherwise, the generation was retired meanwhile, and the next attempt uses a later one.
            if self._can_build_on(base):
                self._latest = self._build(base, self._latest.version)
                self.base = base

    def close(self) -> None:
        """Close the connections."""
        self._watching.close()
        self._reading.close()

    def _changes(self) -> int:
        # One thread at a time: a statement of another thread would keep the connection in an earlier state.
        with self._watching_lock:
            return int(self._watching.execute("PRAGMA data_version").fetchone()[0])

    def _rebuild(self, version: int) -> Snapshot:
        found = None
        while not found:
            # Opening a generation is slow, so it happens outside the lock, and the generation may be retired meanwhile.
            found = self._build_if_kept(self._start_of(version), version)
        self._recent.add(found)
        return found

    def _start_of(self, version: int) -> Snapshot:
        generation = self._holding(version)
        start = self._nearest(generation.version, version)
        try:
            return start or self._open(generation)
        except DamagedBaseError:
            if self._holding(version) == generation:
                raise
            return self._start_of(version)

    def _holding(self, version: int) -> Generation:
        with self._lock, database.reading(self._reading):
            generation = generations.find(self._reading, version)
            if generation is None or version > row_log.newest(self._reading):
                raise SnapshotGoneError(version)
            return generation

    def _nearest(self, first: int, last: int) -> Snapshot | None:
        at_hand = (self._recent.nearest(first, last), self._latest, self.base)
        within = [each for each in at_hand if each and first <= each.version <= last]
        return max(within, key=lambda each: each.version, default=None)

    def _build_if_kept(self, start: Snapshot, version: int) -> Snapshot | None:
        with self._lock, database.reading(self._reading):
            return self._build(start, version) if self._can_build_on(start) else None

    def _can_build_on(self, start: Snapshot) -> bool:
        """Return whether the log still has all rows after a version. Call it within a read transaction."""
        return start.version >= generations.list_all(self._reading)[0].version

    def _open(self, generation: Generation) -> Snapshot:
        number, version = generation.number, generation.version
        ratings = open_base(self._files.base(number)) if number else self._dataset
        return Snapshot(self.origin.identify(version), version, ratings)

    def _open_next(self, generation: Generation) -> Snapshot:
        """Open the generation on which the latest version is to be built."""
        opened = self._open(generation)
        if self._users_are_indexed:
            opened.ratings.index_users()
        return opened

    def _build(self, start: Snapshot, version: int) -> Snapshot:
        if version == start.version:
            return start
        ratings = start.ratings.with_ratings(row_log.between(self._reading, start.version, version))
        return Snapshot(self.origin.identify(version), version, ratings)


class SnapshotCache:
    """The most recently used snapshots. It is thread-safe.

    Args:
        capacity: How many snapshots to keep.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_version: dict[int, Snapshot] = {}
        self._lock = Lock()

    def add(self, snapshot: Snapshot) -> None:
        """Add a snapshot as the most recently used one."""
        with self._lock:
            self._by_version.pop(snapshot.version, None)
            self._by_version[snapshot.version] = snapshot
            while len(self._by_version) > self._capacity:
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
