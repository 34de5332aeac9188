"""The parts of a fetch: enough rows for a file, or those of some seconds, written as they arrive."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_movielens.client.columns import Gathered
from airflow_movielens.client.concurrency import Background
from airflow_movielens.client.fetch.checkpoint import CHECKPOINT_NAME, Checkpoint
from airflow_movielens.client.fetch.workdirs import NAMES_OF_PARTS, PART_ENDING
from airflow_movielens.ratings.own_folders import remove_files
from airflow_movielens.ratings.schema import RATINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import polars as pl

    from airflow_movielens.client.errors import BadRow
    from airflow_movielens.client.fetch.checkpoint import Checkpoints
    from airflow_movielens.client.fetch.output import PartsFolder
    from airflow_movielens.client.rows import Batch, Bookmark
    from airflow_movielens.client.settings import Tuning

_BAD_ENDING = ".ndjson"


@dataclass
class Part:
    """Rows that become durable together.

    Attributes:
        bookmark: Where to resume after them.
        is_last: Whether this is the last part.
        rows: The rows.
        bad: Rows that are quarantined.
    """

    bookmark: Bookmark
    is_last: bool
    rows: Gathered = field(default_factory=Gathered)
    bad: list[BadRow] = field(default_factory=list)

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.rows.height

    def add(self, batch: Batch) -> None:
        """Append a batch."""
        self.rows.add(batch.rows.checked)
        self.bad += batch.rows.bad
        self.bookmark, self.is_last = batch.bookmark, batch.is_last

    def bad_lines(self) -> bytes:
        """Return the quarantined rows as lines of JSON."""
        return b"".join(map(_line, self.bad))


def _line(bad: BadRow) -> bytes:
    values = {"url": bad.url, "number": bad.number, "column": bad.column, "problem": bad.problem, "row": bad.row}
    try:
        text = json.dumps(values, allow_nan=False)
    except (TypeError, ValueError):  # NaN, or a value of a format other than JSON
        text = json.dumps({**values, "row": repr(bad.row)})
    return text.encode() + b"\n"


def cut(batches: Iterable[Batch], tuning: Tuning) -> Iterator[Part]:
    """Gather batches into parts; the last part may have no rows."""
    start = begun = monotonic()
    part = None
    for batch in batches:
        part = part or Part(batch.bookmark, batch.is_last)
        part.add(batch)
        seconds = monotonic() - begun
        is_long = seconds >= max(tuning.part_seconds, tuning.part_share * (monotonic() - start))
        if part.is_last or part.height >= tuning.part_rows or (is_long and part.height):
            yield part
            part, begun = None, monotonic()


class PartStore:
    """The parts of one window.

    A separate thread writes the parts, one at a time, while the next one arrives, so at most two are in memory. A
    window of a single part is not written at all.

    Args:
        folder: The folder of the parts.
        checkpoints: Where the checkpoint is stored.
        key: Identifies the fetch: equal keys, equal fetches.
    """

    def __init__(self, folder: PartsFolder, checkpoints: Checkpoints, key: str) -> None:
        self.folder = folder
        self.checkpoints = checkpoints
        self.empty = Checkpoint(key)
        self._in_memory: Part | None = None
        self._background = Background()
        # Attempts never write files of the same name, even if they share a folder of an object store.
        self.attempt = uuid4().hex[:8]
        self._number = 0
        self.checkpoint = self.empty
        """The parts that are durable, and where to resume after them."""

    def adopt(self, found: Checkpoint) -> None:
        """Resume after the parts of a checkpoint, and remove all other files."""
        self.checkpoint = found
        remove_files(self.folder.local, NAMES_OF_PARTS, keep={*found.files, CHECKPOINT_NAME})

    def add(self, part: Part) -> None:
        """Store the next part; this may raise an error of the part before.

        Raises:
            OSError: A part cannot be written, for example because the disk is full.
        """
        self._background.wait()
        if part.is_last and not self.checkpoint.files:
            self._in_memory = part
            self.checkpoint = _advanced(self.checkpoint, part)
        else:
            self._background.start(lambda: self._write(part))

    @contextmanager
    def all_durable(self) -> Iterator[None]:
        """Wait at the end of the block until all parts are durable, also after an error, so that a retry can resume.

        Raises:
            OSError: A part could not be written.
        """
        try:
            yield
        except Exception:
            with suppress(OSError):
                self._background.wait()
            raise
        self._background.wait()

    def start_over(self) -> None:
        """Remove all parts."""
        with suppress(OSError):
            self._background.wait()
        self.checkpoints.clear()
        remove_files(self.folder.local, NAMES_OF_PARTS)
        self._in_memory, self.checkpoint = None, self.empty

    def scan(self) -> pl.LazyFrame:
        """Return the rows of all parts in order, read from the disk."""
        import polars as pl

        if self._in_memory is not None:
            return pl.concat([RATINGS.empty(), *self._in_memory.rows.frames()]).lazy()
        parts = [self.folder.local / name for name in self.checkpoint.files if name.endswith(PART_ENDING)]
        return pl.scan_ipc(parts, glob=False) if parts else RATINGS.empty().lazy()

    def bad_lines(self) -> Iterator[bytes]:
        """Yield the quarantined rows of all parts in order, as lines of JSON."""
        if self._in_memory is not None:
            yield self._in_memory.bad_lines()
        for name in self.checkpoint.files:
            if not name.endswith(PART_ENDING):
                yield (self.folder.local / name).read_bytes()

    def _write(self, part: Part) -> None:
        checkpoint = self.checkpoint
        unfinished = self.folder.local / f"{self.attempt}-{self._number}"
        try:
            for path in _write_files(part, unfinished):
                self.folder.save(path.name)
                checkpoint = checkpoint.with_file(path)
        except Exception:
            # The disk may be full: free the space of the unfinished part.
            for ending in (PART_ENDING, _BAD_ENDING):
                with suppress(OSError):
                    unfinished.with_suffix(ending).unlink()
            raise
        self._number += 1
        checkpoint = _advanced(checkpoint, part)
        self.checkpoints.save(checkpoint.to_dict())
        self.checkpoint = checkpoint


def _write_files(part: Part, path: Path) -> Iterator[Path]:
    import polars as pl

    if part.height:
        rows = path.with_suffix(PART_ENDING)
        # Uncompressed: it is memory-mapped when it is read.
        pl.concat(part.rows.frames()).write_ipc(rows, compression="uncompressed")
        yield rows
    if part.bad:
        bad = path.with_suffix(_BAD_ENDING)
        bad.write_bytes(part.bad_lines())
        yield bad


def _advanced(checkpoint: Checkpoint, part: Part) -> Checkpoint:
    return replace(
        checkpoint,
        rows=checkpoint.rows + part.height,
        quarantined=checkpoint.quarantined + len(part.bad),
        bookmark=part.bookmark,
        is_complete=part.is_last,
        saved_at=datetime.now(UTC),
    )
