"""Posted ratings, kept durably: a log in SQLite over a sorted base, in versions that any process can read.

- ``writer``: the thread that commits posts.
- ``idempotency``: results of requests with an ``Idempotency-Key``.
- ``clock``: a clock that advances evenly.
- ``row_log``: the posted rows in order.
- ``cursor_key``: the key that signs cursors.
- ``generations``: sorted bases, and the leases that keep them.
- ``compaction``: writes a new base when the log is long.
- ``versions``: the versions of the ratings in this process, with a cache of snapshots.
- ``database``, ``opening``: the SQLite file, its tables, and the checks at the start.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from typing import TYPE_CHECKING
from weakref import finalize

from starlette.concurrency import run_in_threadpool

from movielens_api.errors import StartupError
from movielens_api.store import opening
from movielens_api.store.compaction import MIN_ROWS, Compactor
from movielens_api.store.database import Files
from movielens_api.store.generations import RenewalTimer
from movielens_api.store.versions import Versions
from movielens_api.store.writer import NotWrittenError, Writer
from movielens_api.system import private_files
from movielens_api.system.locks import FileLock
from movielens_api.system.temporary_folders import TemporaryFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from movielens_api.store.idempotency import IdempotencyKey, PostResult
    from movielens_api.store.row_log import Row
    from movielens_api.table.catalogue import Catalogue
    from movielens_api.table.snapshots import Origin, Snapshot

__all__ = ["Store"]

_FEW_ROWS = 500
IDLE_SECONDS = 10.0


class Store:
    """The ratings of a dataset and those posted to it: durable, in versions that any process can read.

    Args:
        folder: The folder of the store. It belongs to this dataset only.
        catalogue: The dataset.
        own: Whether this process is the server of the store, of which there is one. False for its worker processes,
            which open the store after the server.
        compact_after: How many posted ratings are kept in the log before they become part of the base.
        idle_seconds: After how long without readers the memory of mapped ratings is given back.

    Attributes:
        found: The state of the store when it was opened.

    Raises:
        StartupError: Another server uses the store, it belongs to another dataset, or it cannot be written.
        DamagedStoreError: The store is damaged.
    """

    def __init__(
        self,
        folder: Path,
        catalogue: Catalogue,
        *,
        own: bool = True,
        compact_after: int = MIN_ROWS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._files = Files(folder)
        with opening.startup_errors(self._files):
            private_files.make_folder(folder)
            self._lock = _acquire_store(self._files) if own else None
            self.found = opening.open_database(self._files, catalogue, own=own)
            self._versions = Versions(self._files, catalogue.ratings, self.found.origin)
            self._compactor = Compactor(self._files, self._versions, compact_after)
            self._writer = Writer(self._files, self._versions.refresh, self._tidy)
            if own:
                # Last, so that a server that fails before has nothing to close.
                opening.set_closed(self._files, is_closed=False)
        self._renewals = RenewalTimer()
        self._tidying: asyncio.Future[None] | None = None
        self._idle_seconds = idle_seconds
        self._is_used = False

    @classmethod
    def temporary(cls, catalogue: Catalogue) -> Store:
        """Return a store that is deleted when it is no longer used."""
        folder = TemporaryFolder()
        store = cls(folder.path, catalogue)
        finalize(store, folder.close)
        return store

    @property
    def origin(self) -> Origin:
        """The origin of the versions, which names them and signs cursors."""
        return self.found.origin

    def summary(self) -> str | None:
        """Return a line about the ratings that were posted before, or None if there are none."""
        return self.found.summary(self._files)

    def fileno(self) -> int:
        """Return the lock's descriptor. Workers inherit it, so that they hold the store even if the server dies."""
        assert self._lock  # noqa: S101 - only the server starts workers
        return self._lock.file.fileno()

    @property
    def latest(self) -> Snapshot:
        """The latest version that this process knows, without checking for a newer one."""
        return self._versions.latest

    def unready(self) -> str | None:
        """Return why ratings cannot be read now, or None if they can."""
        try:
            self._versions.is_fresh()
        except sqlite3.Error as error:
            return f"The posted ratings cannot be read: {error}."
        return None

    async def current(self) -> Snapshot:
        """Return the latest version: everything that any process committed before this call."""
        self._is_used = True
        if self._versions.is_fresh():
            return self._versions.latest
        # Reading a few rows is faster than handing them to another thread.
        if not self._versions.refresh(max_rows=_FEW_ROWS):
            await run_in_threadpool(self._versions.refresh)
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.get_running_loop().run_in_executor(None, self._tidy)
        return self._versions.latest

    async def unload_when_idle(self) -> None:
        """Give back the memory of mapped ratings whenever nobody has read them for some time. This does not end."""
        while True:
            self._is_used = False
            await asyncio.sleep(self._idle_seconds)
            if not self._is_used:
                self._versions.unload()

    def index_users(self) -> None:
        """Prepare to find the ratings of a user quickly, also in later versions; see `RatingsTable.index_users`."""
        self._versions.index_users()

    async def find(self, version: int) -> Snapshot:
        """Return a version. Rebuilding one that is not cached takes a moment.

        Raises:
            SnapshotGoneError: The version is no longer kept, or never existed.
        """
        self._is_used = True
        return await self._versions.find(version)

    def lease(self, snapshot: Snapshot) -> None:
        """Keep a version for a while, because a client got a cursor into it."""
        self._versions.cache(snapshot)
        # A lease on the start of a generation keeps all its versions, so later ones need no lease of their own.
        first = self._versions.generation.version
        version = min(first, snapshot.version)
        if self._renewals.is_due(version, time.monotonic()):
            self._writer.lease(version)

    async def post(self, rows: Sequence[Row], key: IdempotencyKey | None = None) -> PostResult:
        """Add ratings, all or none, and return when they are durable and can be read.

        Args:
            rows: userId, movieId, rating and timestamp of each rating. A later rating with the same user, movie and
                timestamp replaces an earlier one.
            key: The idempotency key of the request, if any. A repeated request has no further effect.

        Raises:
            OverloadedError: Too many ratings wait to be written.
            KeyReusedError: The key was used with other content.
            NotWrittenError: The disk failed.
        """
        # Shielded, because the rows are written even if the client has disconnected.
        return await asyncio.shield(asyncio.wrap_future(self.add(rows, key)))

    def add(self, rows: Sequence[Row], key: IdempotencyKey | None = None) -> Future[PostResult]:
        """Add ratings as ``post`` does, for threads.

        Raises:
            OverloadedError: Too many ratings wait to be written.
        """
        return self._writer.post(rows, key)

    def close(self) -> None:
        """Write all waiting ratings, and release the store for another server."""
        is_in_place = self._is_in_place()
        self._writer.close()
        self._compactor.close()
        self._versions.close()
        if self._lock:
            if is_in_place:
                opening.set_closed(self._files, is_closed=True)
            self._lock.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _is_in_place(self) -> bool:
        try:
            self._writer.check_in_place()
        except NotWrittenError:
            return False
        return True

    def _tidy(self) -> None:
        self._versions.fold()
        self._compactor.compact_if_due()


def _acquire_store(files: Files) -> FileLock:
    lock = FileLock(files.owner)
    if not lock.acquire(blocking=False):
        lock.file.seek(0)
        holder = lock.file.read(20).decode(errors="replace").strip()
        raise StartupError(
            f"process {holder} serves this dataset already and writes to {files.folder}: "
            "stop it, or pass another folder as --data-dir"
        )
    lock.file.truncate(0)
    lock.file.write(b"%d\n" % os.getpid())
    lock.file.flush()
    return lock
