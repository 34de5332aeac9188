"""The data file of a fetch, written while its parts arrive."""

from __future__ import annotations

from contextlib import suppress
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING

from airflow_movielens.client.concurrency import begin, result_of
from airflow_movielens.ratings.paths import FileFormat
from airflow_movielens.ratings.schema import RATINGS
from airflow_movielens.ratings.writing import write_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl


class DataFile:
    """A file that is written while the parts of a fetch arrive.

    Args:
        path: The file, which nobody else uses; its extension selects the format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing: _Writing | None = None
        self._is_given_up = False
        self._lock = Lock()

    def __enter__(self) -> DataFile:
        """Return the file; if the block fails, it is discarded, and further parts are ignored."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        """Discard the file after an error. A thread may still be storing a part, which then comes too late."""
        if kind is not None:
            with self._lock:
                self._is_given_up = True
            self.discard()

    def add(self, rows: pl.LazyFrame) -> None:
        """Append the rows of a part, which are read later: its file must stay."""
        with self._lock:
            if self._is_given_up:
                return
            if self._writing is None:
                self._writing = _Writing(self.path)
            self._writing.parts.put(rows)

    def finish(self) -> list[int]:
        """Wait until the file is complete.

        Returns:
            How many of its ratings have 0.5, 1, … 5 stars.

        Raises:
            OSError: The file cannot be written, for example because the disk is full.
        """
        writing = self._writing or _Writing(self.path)
        writing.parts.put(None)
        result_of(writing.ended)
        return writing.histogram

    def discard(self) -> None:
        """Stop writing, and remove the file; the next part begins a new one."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.parts.put(_NoMoreParts())
            with suppress(Exception):
                result_of(writing.ended)
            self.path.unlink(missing_ok=True)


class _NoMoreParts(Exception):  # noqa: N818 - it ends the writing
    """The file is discarded."""


class _Writing:
    """A thread that writes rows as they come.

    Attributes:
        parts: The rows of each part; None at the end.
        ended: When the file is complete, or what prevented that.
        histogram: See `DataFile.finish`.
    """

    def __init__(self, path: Path) -> None:
        self.parts: SimpleQueue[pl.LazyFrame | _NoMoreParts | None] = SimpleQueue()
        self.histogram = [0] * 10
        self.ended = begin(lambda: self._write(path))

    def _write(self, path: Path) -> None:
        from polars.io.plugins import register_io_source

        rows = register_io_source(lambda *_: self._arriving(), schema=RATINGS.polars_schema())
        write_rows(rows, path, FileFormat.of(path.name))

    def _arriving(self) -> Iterator[pl.DataFrame]:
        while (rows := self.parts.get()) is not None:
            if isinstance(rows, _NoMoreParts):
                raise rows
            frame = rows.collect()
            self._count(frame)
            yield frame

    def _count(self, rows: pl.DataFrame) -> None:
        import polars as pl

        half_stars = rows.select(half_stars=(pl.col("rating") * 2).cast(pl.Int8))
        for number, count in half_stars.group_by("half_stars").len().iter_rows():
            self.histogram[number - 1] += count
