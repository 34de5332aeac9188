"""The parts of a window: pages are saved as they arrive, and become a part of many rows or of some seconds."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
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


class PartStore:
    """The parts of one window.

    A separate thread writes the parts, one at a time, while the next one arrives, so at most two are in memory. A
    window of a single part is not written at all.

    Once a part is durable, the batches of the next one are saved early: when the thread has nothing to do, it writes
    those that have arrived since, as a small part with a checkpoint in the folder. The whole part takes the place of
    these, whose files are overwritten during the next one: a long fetch does not leave thousands of files.

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
        self._number = 0
        self._started = monotonic()
        self._early_at = 0.0
        self._begin_after(self.empty)

    def _begin_after(self, found: Checkpoint) -> None:
        self.checkpoint = found
        """The parts that are durable, and where to resume after them."""
        self._whole = found
        self._in_memory: Part | None = None
        self._is_saved_early = bool(found.files) and self._tuning.early_share > 0
        self._begin_part()

    def _begin_part(self) -> None:
        self._part = Part()
        self._unsaved: list[Batch] = []
        self._early_number = 0
        self._begun = monotonic()

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
        elif self._unsaved and not self._background.is_busy and monotonic() >= self._early_at:
            early, self._unsaved = Part.of(self._unsaved), []
            self._background.start(lambda: self._write_early(early))

    def _is_long_enough(self) -> bool:
        now = monotonic()
        seconds = max(self._tuning.part_seconds, self._tuning.part_share * (now - self._started))
        is_long = now - self._begun >= seconds and self._part.height > 0
        return is_long or self._part.height >= self._tuning.part_rows

    def _end_part(self) -> None:
        part = self._part
        self._background.wait()
        self._begin_part()
        if part.is_last and not self._whole.files:
            self._in_memory = part
            self.checkpoint = _advanced(self._whole, part)
        else:
            self._is_saved_early = self._tuning.early_share > 0
            self._background.start(lambda: self._write_whole(part))

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
        checkpoint = self._written(part, self._whole, str(self._number))
        self._number += 1
        self.places[0].save(checkpoint.to_dict())
        self.checkpoint = self._whole = checkpoint

    def _write_early(self, part: Part) -> None:
        begun = monotonic()
        checkpoint = self._written(part, self.checkpoint, f"{EARLY}{self._early_number}")
        self._early_number += 1
        self.folder.checkpoints.save(checkpoint.to_dict())
        self.checkpoint = checkpoint
        ended = monotonic()
        self._early_at = ended + (ended - begun) * (1 / self._tuning.early_share - 1)

    def _written(self, part: Part, before: Checkpoint, name: str) -> Checkpoint:
        """Return the checkpoint after a part that follows another checkpoint."""
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
        return _advanced(checkpoint, part)


def _advanced(checkpoint: Checkpoint, part: Part) -> Checkpoint:
    return replace(
        checkpoint,
        rows=checkpoint.rows + part.height,
        quarantined=checkpoint.quarantined + len(part.bad),
        bookmark=part.bookmark,
        is_complete=part.is_last,
        saved_at=datetime.now(UTC),
    )
