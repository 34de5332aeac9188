"""What is loaded: its columns as files have them, its key, and the types of PostgreSQL that hold its values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_movielens.client import FatalError
from airflow_movielens.ratings.messages import shown
from airflow_movielens.ratings.schema import MOVIES, RATINGS, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PARTITION = "partition"
"""The column of the day, in tables with the rows of many days."""

_TYPES = {
    "Boolean": ("boolean",),
    "Date": ("date",),
    "Float32": ("real", "double precision"),
    "Float64": ("double precision",),
    "Int32": ("integer", "bigint"),
    "Int64": ("bigint",),
    "List": ("jsonb",),
    "String": ("text", "character varying"),
}
"""For each dtype, the types of PostgreSQL that hold its values exactly; a new table gets the first one."""
# Half stars have one decimal.
_NUMERIC = re.compile(r"numeric(\(\d+,[1-9]\d*\))?")

_TEXT = frozenset({str})
_OPTIONAL_TEXT = frozenset({str, type(None)})
_WHOLE = frozenset({int})
_OPTIONAL_WHOLE = frozenset({int, type(None)})
_NUMBER = frozenset({int, float})
_INT64 = (-(2**63), 2**63 - 1)

RANKING = Table(
    "a ranking",
    (
        Column("genre", "String", "text", _TEXT),
        Column("rank", "Int64", "a whole number", _WHOLE, limits=_INT64),
        RATINGS.with_columns(["movieId"]).columns[0],
        *MOVIES.with_columns(["title", "year", "genres"]).columns,
        Column("score", "Float64", "a number", _NUMBER),
        Column("avg_rating", "Float64", "a number", _NUMBER),
        Column("num_ratings", "Int64", "a whole number", _WHOLE, limits=_INT64),
        Column("like_share", "Float64", "a number", _NUMBER),
        Column("upper_bound", "Float64", "a number", _NUMBER),
        Column("num_likes", "Int64", "a whole number", _WHOLE, limits=_INT64),
        Column("previous_rank", "Int64", "a whole number or null", _OPTIONAL_WHOLE, limits=_INT64),
        Column("rank_change", "Int64", "a whole number or null", _OPTIONAL_WHOLE, limits=_INT64),
        Column("is_new", "Boolean", "true or false", frozenset({bool})),
    ),
    key=("genre", "movieId"),
)
"""The columns that rankings may have."""

RECOMMENDATIONS = Table(
    "recommendations",
    (
        RATINGS.with_columns(["userId"]).columns[0],
        Column("rank", "Int32", "a whole number", _WHOLE),
        RATINGS.with_columns(["movieId"]).columns[0],
        Column("score", "Float32", "a number", _NUMBER),
        Column("reasons", "List", "a list of {movieId, rating, contribution}", frozenset({list})),
    ),
    key=("userId", "rank"),
)


@dataclass(frozen=True)
class Content:
    """What is loaded.

    Attributes:
        name: What users call it.
        table: Its columns and its key.
        required: The columns that every file of it has.
    """

    name: str
    table: Table
    required: tuple[str, ...]

    @property
    def is_of_a_window(self) -> bool:
        """Whether its rows have a timestamp, so that they are replaced by windows."""
        return self.table is RATINGS

    def columns(self, names: Iterable[str], *, has_partition: bool = False) -> list[Column]:
        """Return the columns of these names in the order of the table, after the partition if there is one."""
        wanted = {*names, *self.required}
        partition = [Column(PARTITION, "Date", "a day", frozenset())] if has_partition else []
        return [*partition, *(column for column in self.table.columns if column.name in wanted)]

    def key(self, columns: Sequence[Column]) -> list[str]:
        """Return the names of the columns that identify a row."""
        present = {column.name for column in columns}
        return [name for name in (PARTITION, *self.table.key) if name in present]


_CONTENTS = {
    content.name: content
    for content in (
        Content("ratings", RATINGS, tuple(RATINGS.column_names)),
        Content("movies", MOVIES, ("movieId", "title")),
        Content("ranking", RANKING, ("movieId", "num_ratings")),
        Content("recommendations", RECOMMENDATIONS, tuple(RECOMMENDATIONS.column_names)),
    )
}


def content_named(name: object) -> Content:
    """Return what users call ``ratings``, ``movies``, ``ranking`` or ``recommendations``.

    Raises:
        FatalError: The name is none of these.
    """
    found = _CONTENTS.get(name) if isinstance(name, str) else None
    if found is None:
        raise FatalError(f"content is {shown(name)}: give one of {', '.join(_CONTENTS)}")
    return found


def type_of(column: Column) -> str:
    """Return the type of a column in a new table."""
    return _TYPES[column.dtype][0]


def accepted_types(column: Column) -> tuple[str, ...]:
    """Return the types, without a length or precision, that hold the values of a column exactly."""
    return (*_TYPES[column.dtype], "numeric") if column.values else _TYPES[column.dtype]


def is_accepted(column: Column, type_: str) -> bool:
    """Return whether a type, as PostgreSQL writes it, holds the values of a column exactly."""
    if column.values and _NUMERIC.fullmatch(type_):
        return True
    return type_.partition("(")[0] in _TYPES[column.dtype]


def can_be_null(column: Column) -> bool:
    """Return whether values of a column may be missing."""
    return type(None) in column.types


def with_names(table: Table, columns: Sequence[Column]) -> Table:
    """Return a table with only these columns."""
    return replace(table, columns=tuple(columns))
