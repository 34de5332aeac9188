"""Rows that replace others in a table, in one transaction: afterwards the table has exactly these rows in its scope.

Two loads of the same rows run one after the other. A load that changes nothing writes nothing into the table.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_movielens.client import FatalError
from airflow_movielens.lineage import table_of_postgres
from airflow_movielens.postgres.contents import PARTITION, type_of
from airflow_movielens.postgres.copying import BINARY, CSV, binary, csv
from airflow_movielens.postgres.table import Target, definition, find_table, listed, quoted, types

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from airflow_movielens.lineage import Dataset
    from airflow_movielens.postgres.connection import Database
    from airflow_movielens.postgres.contents import Content
    from airflow_movielens.postgres.input_rows import InputRows
    from airflow_movielens.postgres.scope import Scope
    from airflow_movielens.postgres.table import TableName
    from airflow_movielens.ratings.schema import Column

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 50_000
_STAGING = "movielens_rows"
# To compare a million rows without temporary files on the server.
_MORE_MEMORY = """
SELECT set_config('work_mem', '64MB', TRUE) WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')
"""
# Fetched ratings are in the order of the key, so that a merge takes less time and memory than a hash of a million rows.
_MERGE = "SET LOCAL enable_hashjoin = off"
# Instead of a day's number, in the locks of a table.
_WHOLE_TABLE = -1


@dataclass
class Loaded:
    """What a load did.

    Attributes:
        table: The table.
        columns: The columns that it loaded.
        rows: How many rows the input has.
        inserted: How many of them were new.
        updated: How many rows were changed.
        deleted: How many rows were removed, because the input does not have them.
    """

    table: Target
    columns: list[Column]
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def dataset(self, database: Database) -> Dataset:
        """Return the dataset of the table, for lineage."""
        types_of_columns = {column.name: type_of(column) for column in self.columns}
        return table_of_postgres(database.address, f"{database.name}.{self.table}", types_of_columns, self.rows)

    def summary(self, scope: Scope) -> dict[str, Any]:
        """Return what was loaded as a small return value."""
        counts = {"rows": self.rows, "inserted": self.inserted, "updated": self.updated, "deleted": self.deleted}
        return {"table": str(self.table), **scope.summary(), **counts}


def check_table(database: Database, name: TableName, content: Content, *, has_partition: bool, create: bool) -> None:
    """Check early that rows of an API can be loaded; see `load`."""
    columns = content.columns(content.table.column_names, has_partition=has_partition)
    _checked(find_table(database, name), content, columns, create=create)


def load(database: Database, name: TableName, given: InputRows, scope: Scope, *, create: bool = False) -> Loaded:
    """Replace the rows of a scope by other rows, in one transaction.

    Args:
        database: The connection, without a transaction.
        name: The table.
        given: The rows.
        scope: Which rows they replace.
        create: Whether to create the table, with its key, if it does not exist.

    Raises:
        FatalError: The table does not exist, or the rows do not fit into it.
        DataError: A rating lies outside the scope, or a row is there twice.
        Exception: See `errors.clear_errors`.
    """
    # The rows of a snapshot from before the wait for a lock would be out of date.
    database.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    target = _locked(database, name, scope)
    names = [column.name for column in given.columns] or target.columns
    columns = given.content.columns(names, has_partition=scope.partition is not None)
    _checked(target, given.content, columns, create=create)
    loaded = _Load(database, target, given, scope, columns).run()
    database.commit()
    return loaded


def _checked(target: Target, content: Content, columns: list[Column], *, create: bool) -> None:
    if target.exists:
        target.check(content, columns)
    elif not create:
        raise FatalError(f"there is no table {target}: create it, or set create_table=True")


def _locked(database: Database, name: TableName, scope: Scope) -> Target:
    """Return the table, once no other load changes the same rows; locks end with the transaction."""
    target = find_table(database, name)
    digest = sha256(f"airflow-movielens {target}".encode()).digest()
    lock = int.from_bytes(digest[:4], signed=True)
    if not target.exists or scope.days is None:
        database.execute(f"SELECT pg_advisory_xact_lock({lock}, {_WHOLE_TABLE})")
    else:
        database.execute(f"SELECT pg_advisory_xact_lock_shared({lock}, {_WHOLE_TABLE})")
        for day in scope.days:
            database.execute(f"SELECT pg_advisory_xact_lock({lock}, {day.toordinal()})")
    # Another load may have created it meanwhile.
    return find_table(database, name)


@dataclass
class _Load:
    """Rows to load, and a table that is locked for them and into which they fit."""

    database: Database
    target: Target
    given: InputRows
    scope: Scope
    columns: list[Column]
    loaded: Loaded = field(init=False)

    def __post_init__(self) -> None:
        # The table has columns that other rows of this kind have, such as previous_rank: here they are null.
        known = {column.name for column in self.columns}
        self.missing = [
            column
            for column in self.given.content.table.columns
            if column.name not in known
            and column.name in self.target.columns
            and not self.target.columns[column.name].is_not_null
        ]
        self.all_columns = [*self.columns, *self.missing]
        self.key = self.given.content.key(self.columns)
        self.loaded = Loaded(self.target, self.all_columns)

    def run(self) -> Loaded:
        if not self.target.exists:
            self._create()
        elif self._is_empty() and (not self._is_binary or self.target.has_types_of(self.columns)):
            self._copy(self.target.sql)
            self.loaded.inserted = self.loaded.rows
        else:
            self._replace()
        return self.loaded

    @property
    def _is_binary(self) -> bool:
        return self.given.content.is_of_a_window

    def _is_empty(self) -> bool:
        any_row = f"SELECT 1 FROM {self.target.sql} t WHERE {self.scope.condition} LIMIT 1"  # noqa: S608 - as below
        return not self.database.execute(any_row)

    def _create(self) -> None:
        """Create the table; its key last, which takes less time than an index that grows with each row."""
        if not self.given.columns:
            raise FatalError(f"the input has no rows, which would tell the columns of the new table {self.target}")
        log.info("Creating the table %s", self.target)
        self.database.execute(f"CREATE TABLE {self.target.sql} ({definition(self.columns)})")
        self._copy(self.target.sql)
        self.database.execute(f"ALTER TABLE {self.target.sql} ADD PRIMARY KEY ({listed(self.key)})")
        self.loaded.inserted = self.loaded.rows

    def _replace(self) -> None:
        """Stage the rows in a temporary table, and change what differs by one statement."""
        self.database.execute(f"CREATE TEMPORARY TABLE {_STAGING} ({types(self.all_columns)}) ON COMMIT DROP")
        self._copy(f"pg_temp.{_STAGING}")
        self.database.execute(_MORE_MEMORY)
        self.database.execute(_MERGE)
        (counts,) = self.database.execute(self._replacement())
        self.loaded.inserted, self.loaded.updated, self.loaded.deleted = counts

    def _replacement(self) -> str:
        names = [column.name for column in self.all_columns]
        values = [name for name in names if name not in self.key]
        same_key = " AND ".join(f"t.{quoted(name)} = c.{quoted(name)}" for name in self.key)
        differs = " OR ".join(f"o.{quoted(name)} IS DISTINCT FROM n.{quoted(name)}" for name in values)
        assignments = ", ".join(f"{quoted(name)} = c.{quoted(name)}" for name in values)
        return f"""
            WITH changes AS MATERIALIZED (
                SELECT {listed(self.key)}, {_of("n", values)}, o.in_table, n.in_input
                FROM (SELECT {listed(names)}, TRUE AS in_table FROM {self.target.sql} t WHERE {self.scope.condition}) o
                FULL JOIN (SELECT {listed(names)}, TRUE AS in_input FROM pg_temp.{_STAGING}) n
                USING ({listed(self.key)})
                WHERE o.in_table IS NULL OR n.in_input IS NULL OR {differs}
            ), inserted AS (
                INSERT INTO {self.target.sql} ({listed(names)})
                SELECT {listed(names)} FROM changes WHERE in_table IS NULL ORDER BY {listed(self.key)} RETURNING 1
            ), updated AS (
                UPDATE {self.target.sql} t SET {assignments} FROM changes c
                WHERE {same_key} AND ({self.scope.condition}) AND c.in_table AND c.in_input RETURNING 1
            ), deleted AS (
                DELETE FROM {self.target.sql} t USING changes c
                WHERE {same_key} AND ({self.scope.condition}) AND c.in_input IS NULL RETURNING 1
            )
            SELECT (SELECT count(*) FROM inserted), (SELECT count(*) FROM updated), (SELECT count(*) FROM deleted)
        """  # noqa: S608 - names are quoted, numbers are numbers

    def _copy(self, table: str) -> None:
        options, encoded = (BINARY, binary) if self._is_binary else (CSV, csv)
        names = listed(column.name for column in self.all_columns)
        self.database.copy(f"COPY {table} ({names}) FROM STDIN ({options})", encoded(self._batches()))

    def _batches(self) -> Iterator[pl.DataFrame]:
        """Yield the rows in batches, checked and counted."""
        import polars as pl

        if not self.given.columns:
            return
        added = {column.name: pl.lit(None, getattr(pl, column.dtype)) for column in self.missing}
        rows = self.given.rows.with_columns(pl.lit(self.scope.partition).alias(PARTITION), **added)
        ordered = rows.select(column.name for column in self.all_columns)
        for batch in ordered.collect_batches(chunk_size=_ROWS_AT_ONCE, maintain_order=True):
            self.scope.check(batch)
            self.loaded.rows += len(batch)
            yield batch


def _of(source: str, names: list[str]) -> str:
    return ", ".join(f"{source}.{quoted(name)}" for name in names)
