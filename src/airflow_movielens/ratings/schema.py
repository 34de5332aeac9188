"""The tables of a ratings API: column names, dtypes, allowed values, and the order of rows.

Dtypes have Polars' names; Polars itself is imported only inside functions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

_INT32_LIMITS = (-(2**31), 2**31 - 1)
# Later values are not seconds: milliseconds of 1978 are seconds of the year 10000.
_SECONDS_LIMITS = (0, 253_402_300_799)
_STARS = frozenset(step / 2 for step in range(1, 11))


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: Its name in files, in JSON and in dataframes.
        dtype: The name of its Polars dtype.
        expects: A description of the allowed values.
        types: The Python types of parsed JSON values.
        limits: The smallest and largest value allowed; None for no limits.
        values: All values allowed; None for any.
    """

    name: str
    dtype: str
    expects: str
    types: frozenset[type]
    limits: tuple[int, int] | None = None
    values: frozenset[float] | None = None

    def accepts(self, values: Sequence[Any]) -> bool:
        """Return whether all of these parsed JSON values are allowed."""
        if not set(map(type, values)) <= self.types:
            return False
        if self.values is not None:
            return set(values) <= self.values
        numbers = values if self.limits is not None and None not in values else [v for v in values if v is not None]
        return self.limits is None or not numbers or (self.limits[0] <= min(numbers) and max(numbers) <= self.limits[1])


@dataclass(frozen=True)
class Table:
    """A table of a ratings API.

    Attributes:
        name: Its path in the API.
        columns: Its columns, in the order of files.
        key: The columns that identify a row, in the order by which rows are sorted.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in the order of files."""
        return [column.name for column in self.columns]

    def with_columns(self, names: Sequence[str]) -> Table:
        """Return the table with only these columns, in this order."""
        columns = {column.name: column for column in self.columns}
        return Table(self.name, tuple(columns[name] for name in names), self.key)

    def polars_schema(self) -> pl.Schema:
        """Return the columns and their Polars dtypes."""
        import polars as pl

        return pl.Schema({column.name: getattr(pl, column.dtype) for column in self.columns})

    def empty(self) -> pl.DataFrame:
        """Return a dataframe with the columns and no rows."""
        return self.polars_schema().to_frame()


def _identifier(name: str) -> Column:
    return Column(name, "Int32", "a whole number of 32 bits", frozenset({int}), limits=_INT32_LIMITS)


_TEXT: frozenset[type] = frozenset({str, type(None)})
_OPTIONAL_INT: frozenset[type] = frozenset({int, type(None)})

RATINGS = Table(
    "ratings",
    (
        _identifier("userId"),
        _identifier("movieId"),
        Column("rating", "Float32", "0.5 to 5.0 in steps of 0.5", frozenset({int, float}), values=_STARS),
        Column("timestamp", "Int64", "whole Unix seconds from 1970 to 9999", frozenset({int}), limits=_SECONDS_LIMITS),
    ),
    key=("timestamp", "userId", "movieId"),
)
MOVIES = Table(
    "movies",
    (
        _identifier("movieId"),
        Column("title", "String", "text or null", _TEXT),
        Column("year", "Int32", "a whole number or null", _OPTIONAL_INT, limits=_INT32_LIMITS),
        Column("genres", "String", "text or null", _TEXT),
    ),
    key=("movieId",),
)
USERS = Table(
    "users",
    (
        _identifier("userId"),
        Column("num_ratings", "Int32", "a whole number of 32 bits", frozenset({int}), limits=_INT32_LIMITS),
    ),
    key=("userId",),
)


def find_columns(given: Iterable[str], wanted: Sequence[str]) -> dict[str, str]:
    """Find columns by name, ignoring case, spaces and underscores: ``USER_ID`` is ``userId``.

    Args:
        given: The names in the file; unknown ones are ignored.
        wanted: The names of the table.

    Returns:
        The file's name for each wanted name.

    Raises:
        ValueError: A column is missing or ambiguous.
    """
    names = list(given)
    found = {name: [other for other in names if _plain(other) == _plain(name)] for name in wanted}
    if missing := [name for name, others in found.items() if not others]:
        raise ValueError(
            f"lacks the columns {', '.join(missing)}; it has {', '.join(map(repr, names)) or 'none'}"[:300]
        )
    for name, others in found.items():
        if len(others) > 1:
            raise ValueError(f"has the column {name} more than once: {', '.join(map(repr, others))}")
    return {name: others[0] for name, others in found.items()}


def known_columns(given: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return which of the known columns are among the given ones, by name as in `find_columns`."""
    plain = set(map(_plain, given))
    return [name for name in known if _plain(name) in plain]


def _plain(name: str) -> str:
    return re.sub(r"[\s_]", "", name).casefold()
