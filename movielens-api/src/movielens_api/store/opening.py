"""Opening of a store's database: creates it if necessary, checks it, and reads how the last server stopped."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movielens_api.errors import StartupError
from movielens_api.store import clock, cursor_key, database, generations, idempotency, row_log
from movielens_api.system.days import format_time
from movielens_api.table.base_files import DamagedBaseError, open_base
from movielens_api.table.snapshots import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from movielens_api.store.database import Files
    from movielens_api.table.catalogue import Catalogue


class DamagedStoreError(StartupError):
    """The posted ratings are damaged."""

    exit_code = 1


@dataclass(frozen=True)
class StoreState:
    """The state of a store when it was opened.

    Attributes:
        origin: The origin of its versions.
        posted: How many ratings were ever posted.
        crashed: Whether the last server did not shut down in order.
        last: When the last rating was posted, in Unix seconds, if any.
    """

    origin: Origin
    posted: int
    crashed: bool
    last: int | None

    def summary(self, files: Files) -> str | None:
        """Return a line about the posted ratings, or None if there are none."""
        if not self.posted or self.last is None:
            return None
        if not self.crashed:
            return f"With {self.posted:,} posted ratings, kept in {files.folder}."
        return (
            f"Recovered {self.posted:,} posted ratings after a crash, kept in {files.folder}; "
            f"the last one was posted at {format_time(self.last)} (UTC)."
        )


@contextmanager
def startup_errors(files: Files) -> Iterator[None]:
    """Turn errors while reading a store into startup errors.

    Raises:
        DamagedStoreError: The files of the store are damaged.
        StartupError: The files cannot be created, read or written.
    """
    hint = f"put a backup of {files.folder} back, or move it away to start without what was posted"
    try:
        yield
    except DamagedBaseError as error:
        raise DamagedStoreError(f"{error}: {hint}") from error
    except sqlite3.OperationalError as error:
        # SQLite reports a full disk as an "I/O error", too.
        raise StartupError(
            f"cannot open {files.database}: {error}: free some space there or pass another --data-dir"
        ) from error
    except sqlite3.DatabaseError as error:
        raise DamagedStoreError(f"{files.database} is damaged ({error}): {hint}") from error
    except OSError as error:
        raise StartupError(
            f"cannot keep posted ratings in {files.folder}: {error.strerror or error}; pass another --data-dir"
        ) from error


def open_database(files: Files, catalogue: Catalogue, *, own: bool) -> StoreState:
    """Open the database of a store, and return its state.

    Args:
        files: The files of the store.
        catalogue: The dataset.
        own: Whether this is the server of the store, which checks everything and removes what a crash left.

    Raises:
        DamagedStoreError: The store is damaged.
        StartupError: The store belongs to another dataset or another version of this program.
        sqlite3.Error: The database cannot be read; see ``startup_errors``.
        OSError: The database cannot be created, or the key of cursors read or written; see ``startup_errors``.
    """
    if own:
        files.create_database()
    connection = files.connect()
    try:
        digest = catalogue.ratings.digest()
        if own:
            _prepare(connection, files, catalogue.name, digest)
            cursor_key.ensure_key(files.cursor_key)
        known, lineage, closed = connection.execute("SELECT digest, lineage, is_closed FROM origin").fetchone()
        posted = row_log.newest(connection)
        if known != digest:
            _refuse_change(connection, files, catalogue.name)
        origin = Origin(digest, lineage, files.cursor_key.read_bytes())
        return StoreState(origin, posted, crashed=not closed, last=row_log.last_received(connection))
    finally:
        connection.close()


def set_closed(files: Files, *, is_closed: bool) -> None:
    """Record whether the server has shut down in order. Otherwise, the next start reports a crash."""
    connection = files.connect()
    try:
        with database.writing(connection):
            connection.execute("UPDATE origin SET is_closed = ?", (is_closed,))
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection, files: Files, name: str, digest: bytes) -> None:
    version = database.version_of(connection)
    if version == 0:
        database.create_tables(connection)
    elif version != database.VERSION:
        raise StartupError(f"{files.database} was written by another version of movielens-api: use that version")
    _check(connection, files)
    with database.writing(connection):
        if row_log.newest(connection) == 0:
            # Nothing was posted, so nothing depends on what the dataset was before.
            connection.execute("DELETE FROM origin")
            # A dataset may be a path, and a path may contain bytes that are not UTF-8.
            text = name.encode(errors="backslashreplace").decode()
            connection.execute("INSERT INTO origin VALUES (?, ?, ?, TRUE)", (text, digest, secrets.token_bytes(16)))
        now = clock.start(connection)
        idempotency.bring_back(connection, now)
        idempotency.delete_expired(connection, now)
    database.allow_shrinking(connection)
    database.shrink(connection)
    files.remove_strays({each.number for each in generations.list_all(connection)})


def _check(connection: sqlite3.Connection, files: Files) -> None:
    [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    for generation in generations.list_all(connection):
        if generation.number:
            open_base(files.base(generation.number))


def _refuse_change(connection: sqlite3.Connection, files: Files, name: str) -> None:
    before = connection.execute("SELECT dataset FROM origin").fetchone()[0]
    raise StartupError(
        f"the ratings of dataset {name} changed since {row_log.newest(connection):,} ratings were posted to it "
        f"(then called {before}): serve the dataset as it was, or move {files.folder} away to start without them"
    )
