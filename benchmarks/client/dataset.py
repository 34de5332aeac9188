"""The ratings to fetch, prepared so that a server can send any page without encoding a row."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from mmap import MAP_POPULATE, MAP_SHARED, PROT_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.days import RatingDays
from benchmarks.servers import Server

JSON_ROWS, ROW_STARTS, COLUMNS = "rows.json", "starts.npy", "ratings.arrow"
ARROW, NDJSON = "application/vnd.apache.arrow.stream", "application/x-ndjson"
EPOCH = date(1970, 1, 1)
SECONDS_PER_DAY = 86_400


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
    def timestamps(self) -> npt.NDArray[Any]:
        """The time of each rating in Unix seconds."""
        return self.ratings["timestamp"].to_numpy()

    @cached_property
    def json_rows(self) -> memoryview:
        """All ratings as JSON objects, each followed by a comma; mapped from the file and loaded at once."""
        with (self.folder / JSON_ROWS).open("rb") as file:
            return memoryview(mmap(file.fileno(), 0, flags=MAP_SHARED | MAP_POPULATE, prot=PROT_READ))

    @cached_property
    def row_starts(self) -> npt.NDArray[Any]:
        """The start of each object in `json_rows`, and the end of the last one."""
        return np.asarray(np.load(self.folder / ROW_STARTS))

    @cached_property
    def days(self) -> RatingDays:
        """The number of ratings of each day."""
        days, rows = np.unique(self.timestamps // SECONDS_PER_DAY, return_counts=True)
        return RatingDays([(EPOCH + timedelta(int(day)), int(count)) for day, count in zip(days, rows, strict=True)])

    def bounds(self, start: date, end: date) -> tuple[int, int]:
        """Return the first row of a window and the row after its last."""
        first, after = np.searchsorted(self.timestamps, [_midnight(start), _midnight(end)])
        return int(first), int(after)

    def window(self, start: date, end: date) -> pl.DataFrame:
        """Return the ratings of a window."""
        first, after = self.bounds(start, end)
        return self.ratings.slice(first, after - first)


def prepare(server: Server, folder: Path) -> None:
    """Fetch all ratings from a server into a folder, which appears whole or not at all."""
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    ratings = pl.read_ipc_stream(server.get("/ratings", Accept=ARROW)[1])
    ratings.select("userId", "movieId", "rating", "timestamp").write_ipc(partial / COLUMNS, compression="uncompressed")
    lines = server.get("/ratings", Accept=NDJSON)[1]
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n"))
    np.save(partial / ROW_STARTS, np.concatenate([[0], ends + 1]))
    (partial / JSON_ROWS).write_bytes(lines.replace(b"\n", b","))
    partial.rename(folder)


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
