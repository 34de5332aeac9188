"""A few rows as lists of values, one for each column.

A dataframe takes longer to create than the few rows of a page take to be read, so several pages become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from operator import lt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from airflow_movielens.ratings.schema import Table

_ROWS_A_FRAME = 5_000
"""As Python values, rows take several times the memory."""


@dataclass(frozen=True)
class Columns:
    """Rows with the values of a table. The methods have the names of those of dataframes.

    Attributes:
        table: The table.
        values: The values of each of its columns.
    """

    table: Table
    values: Sequence[list[Any]]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values[0])

    def row(self, place: int) -> tuple[Any, ...]:
        """Return the values of a row, counted from the end if the place is negative."""
        return tuple([column[place] for column in self.values])

    def slice(self, offset: int) -> Columns:
        """Return the rows without the first ones."""
        return Columns(self.table, [column[offset:] for column in self.values])

    def is_rising(self) -> bool:
        """Return whether each row is greater than the one before, by the table's key."""
        columns = dict(zip(self.table.column_names, self.values, strict=True))
        keys = list(zip(*(columns[name] for name in self.table.key), strict=True))
        return all(map(lt, keys, keys[1:]))

    def frame(self) -> pl.DataFrame:
        """Return the rows as a dataframe with the table's columns and dtypes."""
        return frame_of([self])


class Gathered:
    """Rows that are gathered as dataframes: those of several small pages become one.

    Attributes:
        height: The number of rows.
    """

    def __init__(self) -> None:
        self.height = 0
        self._frames: list[pl.DataFrame] = []
        self._waiting: list[Columns] = []
        self._rows_waiting = 0

    def add(self, rows: pl.DataFrame | Columns) -> None:
        """Append rows."""
        self.height += len(rows)
        if isinstance(rows, Columns):
            self._waiting.append(rows)
            self._rows_waiting += len(rows)
            if self._rows_waiting >= _ROWS_A_FRAME:
                self._join_waiting()
        elif len(rows):
            self._join_waiting()
            self._frames.append(rows)

    def frames(self) -> list[pl.DataFrame]:
        """Return the rows in their order."""
        self._join_waiting()
        return self._frames

    def _join_waiting(self) -> None:
        if self._rows_waiting:
            self._frames.append(frame_of(self._waiting))
        self._waiting, self._rows_waiting = [], 0


def frame_of(pieces: Sequence[Columns]) -> pl.DataFrame:
    """Return the rows of pieces, at least one and all of one table, as a dataframe."""
    import polars as pl

    columns = pieces[0].table.columns
    joined = (
        pieces[0].values if len(pieces) == 1 else map(_joined, zip(*(piece.values for piece in pieces), strict=True))
    )
    return pl.DataFrame(
        [
            pl.Series(column.name, values, getattr(pl, column.dtype))
            for column, values in zip(columns, joined, strict=True)
        ]
    )


def _joined(lists: Sequence[list[Any]]) -> list[Any]:
    return list(chain.from_iterable(lists))
