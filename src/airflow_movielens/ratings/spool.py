"""A place on the local disk for rows that are still arriving, so that memory does not grow with them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from airflow_movielens.ratings.schema import Table

_ROWS_A_PART = 200_000


class Spool:
    """Collects dataframes of one table in part files of a temporary folder, gone when the context ends.

    Args:
        table: What the rows are.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._folder = TemporaryDirectory(prefix="movielens-")
        self._waiting: list[pl.DataFrame] = []
        self._rows_waiting = 0
        self._parts: list[Path] = []
        self.rows = 0
        """How many rows were added so far."""

    def extend(self, frames: Iterator[pl.DataFrame]) -> None:
        """Add all rows of ``frames``, in their order."""
        for frame in frames:
            self._waiting.append(frame)
            self._rows_waiting += len(frame)
            self.rows += len(frame)
            if self._rows_waiting >= _ROWS_A_PART:
                self._write_part()

    def clear(self) -> None:
        """Forget all rows."""
        for part in self._parts:
            part.unlink()
        self._waiting, self._rows_waiting, self._parts, self.rows = [], 0, [], 0

    def scan(self) -> pl.LazyFrame:
        """All rows, in the order of arrival, to be read from the disk."""
        import polars as pl

        if self._waiting:
            self._write_part()
        return pl.scan_ipc(self._parts, glob=False) if self._parts else pl.LazyFrame(schema=self._table.polars_schema())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def _write_part(self) -> None:
        import polars as pl

        part = Path(self._folder.name) / f"{len(self._parts):06}.arrow"
        pl.concat(self._waiting).write_ipc(part)
        self._parts.append(part)
        self._waiting, self._rows_waiting = [], 0
