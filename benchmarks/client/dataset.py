"""The ratings to fetch, prepared so that a server can send any page without encoding a row."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from mmap import MAP_POPULATE, MAP_SHARED, PROT_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.client.shapes import COMPACT, SHAPES
from benchmarks.days import RatingDays
from benchmarks.servers import Server

COLUMNS = "ratings.arrow"
SHAPED_ROWS = 1_000_000
ARROW, NDJSON = "application/vnd.apache.arrow.stream", "application/x-ndjson"
EPOCH = date(1970, 1, 1)
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class JsonRows:
    """Ratings as JSON objects of one shape.

    Attributes:
        text: The objects, each followed by what separates it from the next one.
        starts: The start of each object in ``text``, and the end of the last one.
    """

    text: memoryview
    starts: npt.NDArray[Any]

    @property
    def count(self) -> int:
        """The number of objects."""
        return len(self.starts) - 1

    @classmethod
    def load(cls, folder: Path, shape: str) -> JsonRows:
        """Map the text from its file, and load it at once."""
        text, starts = _files(folder, shape)
        with text.open("rb") as file:
            mapped = mmap(file.fileno(), 0, flags=MAP_SHARED | MAP_POPULATE, prot=PROT_READ)
        return cls(memoryview(mapped), np.asarray(np.load(starts)))


@dataclass(frozen=True)
class Dataset:
    """Ratings in a folder.

    Attributes:
        folder: The folder that `prepare` has written.
    """

    folder: Path

    @cached_property
    def ratings(self) -> pl.DataFrame:
        """All ratings in canonical order: userId, movieId, rating and timestamp."""
        return pl.read_ipc(self.folder / COLUMNS).rechunk()

    @cached_property
    def json_rows(self) -> dict[str, JsonRows]:
        """The ratings in each of `SHAPES`, by its name."""
        return {shape: JsonRows.load(self.folder, shape) for shape in SHAPES}

    @cached_property
    def days(self) -> RatingDays:
        """The number of ratings of each day."""
        days, rows = np.unique(self.ratings["timestamp"].to_numpy() // SECONDS_PER_DAY, return_counts=True)
        return RatingDays([(EPOCH + timedelta(int(day)), int(count)) for day, count in zip(days, rows, strict=True)])

    def bounds(self, start: date, end: date) -> tuple[int, int]:
        """Return the first row of a window and the row after its last."""
        return self.days.before(start), self.days.before(end)

    def window(self, start: date, end: date) -> pl.DataFrame:
        """Return the ratings of a window."""
        first, after = self.bounds(start, end)
        return self.ratings.slice(first, after - first)


def prepare(server: Server, folder: Path, shaped_rows: int = SHAPED_ROWS) -> None:
    """Fetch all ratings from a server into a folder, which appears whole or not at all.

    Args:
        server: ``movielens-api``.
        folder: The folder to make.
        shaped_rows: The minimum number of ratings in shapes other than compact, in whole days; all if there are
            fewer.
    """
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    ratings = pl.read_ipc_stream(server.get("/ratings", Accept=ARROW)[1])
    ratings.select("userId", "movieId", "rating", "timestamp").write_ipc(partial / COLUMNS, compression="uncompressed")
    lines = server.get("/ratings", Accept=NDJSON)[1]
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
    for name, shape in SHAPES.items():
        rows = len(ends)
        if name != COMPACT:
            rows = Dataset(partial).days.first_with(min(shaped_rows, rows))[2]
        text, starts = _files(partial, name)
        written, places = shape.write(lines[: ends[rows - 1]])
        text.write_bytes(written)
        np.save(starts, places)
    partial.rename(folder)


def _files(folder: Path, shape: str) -> tuple[Path, Path]:
    """Return the paths of the objects and of their starts."""
    return folder / f"{shape}.json", folder / f"{shape}-starts.npy"
