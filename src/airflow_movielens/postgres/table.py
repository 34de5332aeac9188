"""A table of PostgreSQL: its name, whether rows fit into it, and how it is created."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_movielens.client import FatalError
from airflow_movielens.postgres.contents import accepted_types, can_be_null, is_accepted, type_of
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_movielens.postgres.connection import Database
    from airflow_movielens.postgres.contents import Content
    from airflow_movielens.ratings.schema import Column

_LONGEST_NAME = 63
_PARTS = 2
_TABLES = {"r", "p"}

_FIND = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s)
"""
_COLUMNS = """
SELECT attname::text, format_type(atttypid, atttypmod), attnotnull, atthasdef OR attidentity <> ''
FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_KEYS = """
SELECT ARRAY(
    SELECT a.attname::text FROM pg_attribute a
    WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0 : i.indnkeyatts - 1])
)
FROM pg_index i
WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
"""


def quoted(*names: str) -> str:
    """Return a name, or several joined by dots, as an identifier of SQL."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def listed(names: Iterable[str]) -> str:
    """Return names as a list of identifiers of SQL."""
    return ", ".join(map(quoted, names))


@dataclass(frozen=True)
class TableName:
    """The name of a table, as its author wrote it.

    Attributes:
        schema: The schema; None for the first one of the search path that has the table.
        name: The table.
    """

    schema: str | None
    name: str

    @classmethod
    def of(cls, text: object) -> TableName:
        """Read ``table`` or ``schema.table``; capitals count.

        Raises:
            FatalError: It is no such name.
        """
        parts = text.split(".") if isinstance(text, str) else []
        sizes = [len(part.encode()) for part in parts]
        if not 1 <= len(parts) <= _PARTS or not all(0 < size <= _LONGEST_NAME for size in sizes) or "\0" in str(text):
            raise FatalError(f"table is {shown(text)}: give a table or schema.table, of at most 63 bytes each")
        return cls(parts[0] if len(parts) == _PARTS else None, parts[-1])

    @property
    def sql(self) -> str:
        """The identifier in SQL."""
        return quoted(self.name) if self.schema is None else quoted(self.schema, self.name)


@dataclass(frozen=True)
class TableColumn:
    """A column that a table has.

    Attributes:
        type: Its type, as PostgreSQL writes it.
        is_required: Whether it is NOT NULL and has no default.
        is_not_null: Whether it is NOT NULL.
    """

    type: str
    is_required: bool
    is_not_null: bool


@dataclass(frozen=True)
class Target:
    """A table to load into.

    Attributes:
        schema: Its schema.
        name: Its name.
        columns: Its columns by name; empty if the table does not exist.
        keys: The columns of each unique index.
    """

    schema: str
    name: str
    columns: dict[str, TableColumn]
    keys: list[set[str]]

    @property
    def exists(self) -> bool:
        """Whether the table exists."""
        return bool(self.columns)

    @property
    def sql(self) -> str:
        """The identifier in SQL."""
        return quoted(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    def has_types_of(self, columns: Iterable[Column]) -> bool:
        """Return whether the table has the types that a new table would have."""
        return all(self.columns[column.name].type == type_of(column) for column in columns)

    def check(self, content: Content, columns: Sequence[Column]) -> None:
        """Check that rows fit into the table.

        Args:
            content: What they are.
            columns: Their columns.

        Raises:
            FatalError: They do not.
        """
        for column in columns:
            self._check_column(column)
        own = {column.name for column in columns}
        if unknown := [name for name, found in self.columns.items() if found.is_required and name not in own]:
            raise FatalError(
                f"the table {self} has the column {unknown[0]}, which is NOT NULL without a default and which the "
                f"{content.name} of the input lacks: give it a default, or load into another table"
            )
        key = content.key(columns)
        if set(key) not in self.keys or not all(self.columns[name].is_not_null for name in key):
            raise FatalError(
                f"the table {self} has no primary key of the columns {', '.join(key)}: create it by ALTER TABLE "
                f"{self.sql} ADD PRIMARY KEY ({listed(key)})"
            )

    def _check_column(self, column: Column) -> None:
        found = self.columns.get(column.name)
        if found is None:
            has = ", ".join(self.columns)
            raise FatalError(
                f"the table {self} has no column {column.name}, only {has}: add it by ALTER TABLE {self.sql} ADD "
                f"COLUMN {quoted(column.name)} {type_of(column)}, or load into another table"
            )
        if not is_accepted(column, found.type):
            expected = " or ".join(accepted_types(column))
            raise FatalError(
                f"the column {column.name} of the table {self} has the type {found.type}, expected {expected}: change "
                "it, or load into another table"
            )


def find_table(database: Database, name: TableName) -> Target:
    """Return the table of a name, which may not exist yet.

    Raises:
        FatalError: There is no schema for it, or it is no table.
    """
    found = database.execute(_FIND, [name.sql])
    if not found:
        schema = name.schema or database.execute("SELECT current_schema()")[0][0]
        if schema is None:
            raise FatalError(f"there is no schema for the table {name.name}: name one, as in schema.{name.name}")
        return Target(schema, name.name, {}, [])
    oid, schema, table, kind = found[0]
    if kind not in _TABLES:
        raise FatalError(f"{schema}.{table} is no table, but a view, a foreign table or the like: name a table")
    columns = {
        column: TableColumn(type_, is_not_null and not has_default, is_not_null)
        for column, type_, is_not_null, has_default in database.execute(_COLUMNS, [oid])
    }
    return Target(schema, table, columns, [set(names) for (names,) in database.execute(_KEYS, [oid])])


def types(columns: Sequence[Column]) -> str:
    """Return columns and their types in SQL."""
    return ", ".join(f"{quoted(column.name)} {type_of(column)}" for column in columns)


def definition(columns: Sequence[Column]) -> str:
    """Return the columns of a new table in SQL."""
    return ", ".join(f"{types([column])}{'' if can_be_null(column) else ' NOT NULL'}" for column in columns)
