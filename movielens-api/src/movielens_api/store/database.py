"""The SQLite file of a store: its tables, and connections whose commits are durable."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from movielens_api.system import private_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 1
_SECONDS_TO_WAIT = 30.0
_INCREMENTAL = 2
# `seq` is never reused: rows are deleted only after a generation contains them, and numbering continues from there.
_TABLES = """
CREATE TABLE log (seq INTEGER PRIMARY KEY, userId INTEGER NOT NULL, movieId INTEGER NOT NULL, rating REAL NOT NULL,
    timestamp INTEGER NOT NULL, received INTEGER NOT NULL);
CREATE TABLE generations (number INTEGER PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE leases (version INTEGER PRIMARY KEY, until INTEGER NOT NULL);
CREATE TABLE answers (user TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, accepted INTEGER NOT NULL,
    version INTEGER NOT NULL, answered INTEGER NOT NULL, PRIMARY KEY (user, key)) WITHOUT ROWID;
CREATE INDEX answers_by_time ON answers (answered);
CREATE TABLE origin (dataset TEXT NOT NULL, digest BLOB NOT NULL, lineage BLOB NOT NULL, is_closed INTEGER NOT NULL);
INSERT INTO generations VALUES (0, 0);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection for one thread at a time. A commit returns when it is on the disk.

    Raises:
        sqlite3.OperationalError: The file system lacks the shared memory that SQLite's WAL needs.
    """
    connection = sqlite3.connect(path, _SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False)
    # Only a new file takes this setting, or one that is written anew; see `shrink`.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    [mode] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError("this file system has no memory that processes share (SQLite's WAL needs it)")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def create_tables(connection: sqlite3.Connection) -> None:
    """Create all tables in one transaction."""
    with writing(connection):
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def allow_shrinking(connection: sqlite3.Connection) -> None:
    """Prepare a database of an earlier version for ``shrink``, by writing it anew."""
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
        connection.execute("VACUUM")


def shrink(connection: sqlite3.Connection) -> None:
    """Return the space of deleted rows to the file system.

    Args:
        connection: A connection that is not in a transaction.
    """
    # Not `execute`, which would return the first free page only.
    connection.executescript("PRAGMA incremental_vacuum")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the tables, or 0 if there are none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """Read within a transaction, which sees one state of the database."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Write within a transaction, which is committed at the end, or rolled back after an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A failed commit may or may not have ended the transaction.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@dataclass(frozen=True)
class Files:
    """The files of a store.

    Attributes:
        folder: The folder that contains all of them.
    """

    folder: Path

    @property
    def database(self) -> Path:
        """The log of posted ratings, and the state of the other files."""
        return self.folder / "ratings.db"

    @property
    def cursor_key(self) -> Path:
        """The key that signs cursors."""
        return self.folder / "cursors.key"

    @property
    def owner(self) -> Path:
        """The lock that the server of this store holds."""
        return self.folder / "server.lock"

    @property
    def writing(self) -> Path:
        """The lock that a process holds while it writes."""
        return self.folder / "writing.lock"

    @property
    def compacting(self) -> Path:
        """The lock that a process holds while it writes a generation."""
        return self.folder / "compacting.lock"

    def base(self, number: int) -> Path:
        """Return the folder of a generation."""
        return self.folder / f"base-{number}"

    def identity(self) -> tuple[tuple[int, int], ...] | None:
        """Return what identifies the files of the database that exist now, or None if one is missing.

        The log (WAL) exists as long as any process has a connection, and is never replaced meanwhile.
        """
        try:
            found = [os.stat(path) for path in (self.database, f"{self.database}-wal")]  # noqa: PTH116 - on every post
        except OSError:
            return None
        return tuple((each.st_dev, each.st_ino) for each in found)

    def create_database(self) -> None:
        """Create an empty database file for its owner alone, unless it exists. SQLite gives its other files this mode.

        Raises:
            OSError: The file cannot be created, or is a symbolic link.
        """
        with open(self.database, "ab", opener=private_files.opener):
            pass

    def connect(self) -> sqlite3.Connection:
        """Open a connection to the database."""
        return connect(self.database)

    def remove_strays(self, numbers: set[int]) -> None:
        """Remove all folders of other generations: they were retired, or left by a crash."""
        wanted = {self.base(number) for number in numbers}
        for path in [*self.folder.glob("base-*"), *self.folder.glob(".base-*")]:
            if path not in wanted:
                shutil.rmtree(path, ignore_errors=True)
