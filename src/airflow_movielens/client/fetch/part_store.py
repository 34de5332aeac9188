"""The parts of a window: pages are saved as they arrive, and become a part of many rows or of some seconds."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_movielens.client.concurrency import Background
from airflow_movielens.client.fetch.checkpoint import CHECKPOINT_NAME, Checkpoint
from airflow_movielens.client.fetch.parts import BAD_ENDING, Part
from airflow_movielens.client.fetch.workdirs import EARLY, NAMES_OF_PARTS, PART_ENDING
from airflow_movielens.ratings.own_folders import remove_files
from airflow_movielens.ratings.schema import RATINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from airflow_movielens.client.fetch.checkpoint import Checkpoints
    from airflow_movielens.client.fetch.output import PartsFolder
    from airflow_movielens.client.rows import Batch
    from airflow_movielens.client.settings import Tuning


_MOST_EARLY = 100
"""A part ends after so many early ones: each is a file, and the checkpoint lists them."""


class PartStore:
    """The parts of one window.

    A separate thread writes the parts, one at a time, while the next one arrives, so at most two are in memory. A
    window of a single part is not written at all.

    Once a part is durable, the batches of the next one are saved early: when the thread has nothing else to do, it
    writes those that have arrived, as a small part with a checkpoint in the folder. The whole part replaces these.

    Args:
        folder: The folder of the parts.
        checkpoints: Where the checkpoint of whole parts is stored.
        key: Identifies the fetch: equal keys, equal fetches.
        tuning: When a part ends, and how often batches are saved early.
    """

    def __init__(self, folder: PartsFolder, checkpoints: Checkpoints, key: str, tuning: Tuning) -> None:
        self.folder = folder
        self.places = [checkpoints] if checkpoints is folder.checkpoints else [checkpoints, folder.checkpoints]
        """Where checkpoints are stored."""
        self.empty = Checkpoint(key)
        self._tuning = tuning
        self._background = Background()
        # Attempts never write files of the same name, even if they share a folder of an object store.
        self.attempt = uuid4().hex[:8]
        self._number = self._early_number = 0
        self._started = monotonic()
        self._is_awaited = Event()
        self._begin_after(self.empty)

    def _begin_after(self, found: Checkpoint) -> None:
        self.checkpoint = found
        """The parts that are durable, and where to resume after them."""
        self._whole = self._in_folder = found
        self._in_memory: Part | None = None
        self._has_gap = False
        self._is_saved_early = self._may_save_early and bool(found.files)
        self._begin_part()

    def _begin_part(self) -> None:
        self._part = Part()
        self._unsaved: deque[Batch] = deque()
        self._early_parts = 0
        self._begun = monotonic()

    @property
    def _may_save_early(self) -> bool:
        return self.folder.saves_early and self._tuning.early_share > 0

    def adopt(self, found: Checkpoint) -> None:
        """Resume after the parts of a checkpoint, and remove all other files."""
        self._begin_after(found)
        remove_files(self.folder.local, NAMES_OF_PARTS, keep={*found.files, CHECKPOINT_NAME})

    def add(self, batch: Batch) -> None:
        """Store the next batch; this may raise an error of a batch before.

        Raises:
            OSError: A part cannot be written, for example because the disk is full.
        """
        self._part.add(batch)
        if self._is_saved_early:
            self._unsaved.append(batch)
        if batch.is_last or self._is_long_enough():
            self._end_part()
        elif self._unsaved and not self._background.is_busy:
            self._background.start(self._save_early)

    def _is_long_enough(self) -> bool:
        now = monotonic()
        seconds = max(self._tuning.part_seconds, self._tuning.part_share * (now - self._started))
        is_long = now - self._begun >= seconds and self._part.height > 0
        return is_long or self._part.height >= self._tuning.part_rows or self._early_parts >= _MOST_EARLY

    def _end_part(self) -> None:
        part = self._part
        self._begin_part()
        self._save_all()
        if part.is_last and not self._whole.files:
            self._in_memory = part
            self.checkpoint = _advanced(self._whole, part)
        else:
            self._is_saved_early = self._may_save_early
            self._background.start(lambda: self._write_whole(part))

    def _save_all(self) -> None:
        """Wait until all that was to be saved is durable.

        Raises:
            OSError: A part cannot be written.
        """
        self._is_awaited.set()
        try:
            self._background.start(self._save_early)
            self._background.wait()
        finally:
            self._is_awaited.clear()

    @contextmanager
    def all_durable(self) -> Iterator[None]:
        """Wait at the end of the block until all that arrived is durable, also after an error, for a retry to resume.

        Raises:
            OSError: A part could not be written.
        """
        try:
            yield
        except Exception:
            with suppress(OSError):
                self._save_all()
            raise
        self._save_all()

    def clear_checkpoints(self) -> None:
        """Remove the checkpoint wherever it is stored."""
        for checkpoints in self.places:
            checkpoints.clear()

    def start_over(self) -> None:
        """Remove all parts."""
        with suppress(OSError):
            self._background.wait()
        self.clear_checkpoints()
        remove_files(self.folder.local, NAMES_OF_PARTS)
        self._begin_after(self.empty)

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

    def _write_whole(self, part: Part) -> None:
        self._write(part, self._whole, str(self._number), self.places[0])
        self._whole = self.checkpoint
        self._number += 1
        self._save_early()

    def _save_early(self) -> None:
        """Save the batches that have arrived, and those that arrive meanwhile."""
        while not self._has_gap and (batches := _taken(self._unsaved)):
            begun = monotonic()
            self._write(Part.of(batches), self.checkpoint, f"{EARLY}{self._early_number}", self.folder.checkpoints)
            self._early_number += 1
            self._early_parts += 1
            self._is_awaited.wait((monotonic() - begun) * (1 / self._tuning.early_share - 1))

    def _write(self, part: Part, before: Checkpoint, name: str, place: Checkpoints) -> None:
        """Write a part and the checkpoint after it, which follows the checkpoint ``before``."""
        # Until it is durable, and for good if that fails, no part may follow.
        self._has_gap = True
        checkpoint, path = before, self.folder.local / f"{self.attempt}-{name}"
        try:
            for file in part.write(path):
                self.folder.save(file.name)
                checkpoint = checkpoint.with_file(file)
        except Exception:
            # The disk may be full: free the space of the unfinished part.
            for ending in (PART_ENDING, BAD_ENDING):
                with suppress(OSError):
                    path.with_suffix(ending).unlink()
            raise
        checkpoint = _advanced(checkpoint, part)
        place.save(checkpoint.to_dict())
        self.checkpoint = checkpoint
        if place is self.folder.checkpoints:
            self.folder.discard(set(self._in_folder.files).difference(checkpoint.files))
            self._in_folder = checkpoint
        self._has_gap = False


def _taken(batches: deque[Batch]) -> list[Batch]:
    """Remove and return the batches that are there now; another thread may append more."""
    return [batches.popleft() for _ in range(len(batches))]


def _advanced(checkpoint: Checkpoint, part: Part) -> Checkpoint:
    return replace(
        checkpoint,
        rows=checkpoint.rows + part.height,
        quarantined=checkpoint.quarantined + len(part.bad),
        bookmark=part.bookmark,
        is_complete=part.is_last,
        saved_at=datetime.now(UTC),
    )
