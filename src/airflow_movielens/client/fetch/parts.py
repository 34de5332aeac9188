"""A window cut into parts: enough rows to be worth a file of their own, or what came in some seconds."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_movielens.client.concurrency import Background
from airflow_movielens.client.fetch.checkpoint import CHECKPOINT_NAME, Checkpoint
from airflow_movielens.client.fetch.output import remove_parts
from airflow_movielens.client.fetch.workdirs import PART_ENDING
from airflow_movielens.ratings.schema import RATINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import polars as pl

    from airflow_movielens.client.fetch.checkpoint import Checkpoints
    from airflow_movielens.client.fetch.output import PartsFolder
    from airflow_movielens.client.rows import BadRow, Batch, Bookmark


ROWS_PER_PART = 125_000
SECONDS_PER_PART = 2.0
SHARE_OF_THE_TIME = 0.02
"""Parts of a fetch that takes long become longer, so that there are never many more than a few hundred."""


@dataclass
class Part:
    """Rows that become durable together.

    Attributes:
        bookmark: How to go on behind them.
        is_last: Whether nothing follows.
        frames: The rows.
        bad: Rows that are quarantined.
    """

    bookmark: Bookmark
    is_last: bool
    frames: list[pl.DataFrame] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)

    @property
    def height(self) -> int:
        """How many rows it has."""
        return sum(map(len, self.frames))

    def add(self, batch: Batch) -> None:
        """Put a batch behind what is there."""
        if len(batch.rows.good):
            self.frames.append(batch.rows.good)
        self.bad += batch.rows.bad
        self.bookmark, self.is_last = batch.bookmark, batch.is_last

    def bad_lines(self) -> bytes:
        """The quarantined rows, as JSON a line."""
        return b"".join(map(_line, self.bad))


def _line(bad: BadRow) -> bytes:
    values = {"url": bad.url, "number": bad.number, "column": bad.column, "problem": bad.problem, "row": bad.row}
    try:
        text = json.dumps(values, allow_nan=False)
    except (TypeError, ValueError):  # NaN, or what a format other than JSON brought
        text = json.dumps({**values, "row": repr(bad.row)})
    return text.encode() + b"\n"


def cut(batches: Iterable[Batch]) -> Iterator[Part]:
    """Gather batches into parts; the last one may have no rows."""
    start = begun = monotonic()
    part = None
    for batch in batches:
        part = part or Part(batch.bookmark, batch.is_last)
        part.add(batch)
        seconds = monotonic() - begun
        is_long = seconds >= max(SECONDS_PER_PART, SHARE_OF_THE_TIME * (monotonic() - start))
        if part.is_last or part.height >= ROWS_PER_PART or (is_long and part.frames):
            yield part
            part, begun = None, monotonic()


log = logging.getLogger(__name__)


class PartStore:
    """Keeps the parts of one window.

    They are written beside the network by a thread of their own, one at a time, so at most two are in memory. A window
    of a single part is not written at all.

    Args:
        folder: Where they lie.
        checkpoints: Where it is noted how far they are durable.
        key: What makes a fetch the same fetch.
    """

    def __init__(self, folder: PartsFolder, checkpoints: Checkpoints, key: str) -> None:
        self._folder = folder
        self._checkpoints = checkpoints
        self._empty = Checkpoint(key)
        self._in_memory: Part | None = None
        self._background = Background()
        # No two attempts write files of the same name, though their folders may be the same one of an object store.
        self.attempt = uuid4().hex[:8]
        self._number = 0
        self.checkpoint = self._empty
        """How far the window is there."""

    def resume(self) -> None:
        """Go on from what an earlier attempt of the same fetch left; if it is not whole, start over."""
        try:
            values = self._checkpoints.load()
            found = self._empty if values is None else Checkpoint.from_dict(values)
            self._verify(found)
        except (ValueError, OSError) as error:
            log.warning("Starting over, because what an earlier attempt left cannot be used: %s", error)
            self.start_over()
        else:
            self.checkpoint = found
            remove_parts(self._folder.local, keep={*found.files, CHECKPOINT_NAME})

    def add(self, part: Part) -> None:
        """Keep the next part; an error of writing the one before may be raised here.

        Raises:
            OSError: There is no space left, for example.
        """
        self._background.wait()
        if part.is_last and not self.checkpoint.files:
            self._in_memory = part
            self.checkpoint = _advanced(self.checkpoint, part)
        else:
            self._background.start(lambda: self._write(part))

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Wait at the end of the block until all parts are durable; after an error too, for who goes on from them.

        Raises:
            OSError: One could not be written.
        """
        try:
            yield
        except Exception:
            with suppress(OSError):
                self._background.wait()
            raise
        self._background.wait()

    def start_over(self) -> None:
        """Forget all parts."""
        with suppress(OSError):
            self._background.wait()
        self._checkpoints.clear()
        remove_parts(self._folder.local)
        self._in_memory, self.checkpoint = None, self._empty

    def scan(self) -> pl.LazyFrame:
        """The rows of all parts in order, to be read from the disk."""
        import polars as pl

        if self._in_memory is not None:
            return pl.concat([RATINGS.empty(), *self._in_memory.frames]).lazy()
        parts = [self._folder.local / name for name in self.checkpoint.files if name.endswith(PART_ENDING)]
        return pl.scan_ipc(parts, glob=False) if parts else RATINGS.empty().lazy()

    def bad_lines(self) -> Iterator[bytes]:
        """The quarantined rows of all parts in order, as JSON a line."""
        if self._in_memory is not None:
            yield self._in_memory.bad_lines()
        for name in self.checkpoint.files:
            if not name.endswith(PART_ENDING):
                yield (self._folder.local / name).read_bytes()

    def _verify(self, found: Checkpoint) -> None:
        if found.key != self._empty.key:
            raise ValueError("it is of another source, user, window, page size, format or output")
        if found.is_old:
            raise ValueError(f"it is of {found.saved_at:%Y-%m-%d %H:%M} UTC, and not of the last 24 hours")
        for name in found.files:
            self._folder.bring(name)
        if not found.matches([self._folder.local / name for name in found.files]):
            raise ValueError("its files are not as they were written")

    def _write(self, part: Part) -> None:
        checkpoint = self.checkpoint
        for path in _write_files(part, self._folder.local / f"{self.attempt}-{self._number}"):
            self._folder.keep(path.name)
            checkpoint = checkpoint.with_file(path)
        self._number += 1
        checkpoint = _advanced(checkpoint, part)
        self._checkpoints.save(checkpoint.to_dict())
        self.checkpoint = checkpoint


def _write_files(part: Part, path: Path) -> Iterator[Path]:
    import polars as pl

    if part.frames:
        rows = path.with_suffix(PART_ENDING)
        # Not compressed: so it is mapped when it is read, and costs no memory then.
        pl.concat(part.frames).write_ipc(rows, compression="uncompressed")
        yield rows
    if part.bad:
        bad = path.with_suffix(".ndjson")
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
