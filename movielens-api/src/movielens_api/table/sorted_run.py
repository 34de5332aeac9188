"""Ratings as sorted columns (a sorted run), changes laid over them (overlays), and a digest of either."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from functools import cached_property, reduce
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

# The columns as they are sent, in memory and on disk.
DTYPES = {"movieId": "<i4", "rating": "<f4", "timestamp": "<i8", "userId": "<i4"}
Places = NDArray[np.int64]
Order = NDArray[np.uint32]
Flags = NDArray[np.bool_]


class Digest:
    """A digest of ratings, computed chunk by chunk. The size of the chunks does not matter."""

    def __init__(self) -> None:
        self._columns = {name: sha256() for name in DTYPES}

    def update(self, rows: pl.DataFrame) -> dict[str, memoryview]:
        """Add the next rows, and return their columns as bytes."""
        columns = SortedRun.of(rows).columns
        contents = {name: columns[name].astype(dtype, copy=False).data for name, dtype in DTYPES.items()}
        for name, content in contents.items():
            self._columns[name].update(content)
        return contents

    def value(self) -> bytes:
        """Return the digest of all rows so far."""
        return sha256(b"".join(column.digest() for column in self._columns.values())).digest()


@dataclass(frozen=True, eq=False)
class SortedRun:
    """Ratings sorted by ``timestamp``, ``userId``, ``movieId``, without duplicates.

    The columns are numpy arrays: a search takes 0.6 µs instead of 50 with polars, a column can be a file that is
    mapped into memory, and polars reads the columns in place.

    Args:
        columns: The columns of ``DTYPES``, each of its type.
        counted: The users, if they are known.
        files: The files that the columns are mapped from.
    """

    columns: dict[str, NDArray[Any]]
    counted: pl.DataFrame | None = None
    files: Sequence[mmap.mmap] = ()

    @classmethod
    def of(cls, rows: pl.DataFrame) -> SortedRun:
        """Return the columns of a frame without copying them.

        Raises:
            ValueError: A value is missing.
        """
        if any(rows[name].has_nulls() for name in DTYPES):
            raise ValueError("a rating lacks a value")
        return cls({name: rows[name].to_numpy() for name in DTYPES})

    def __len__(self) -> int:
        return len(self.columns["timestamp"])

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The columns as a polars frame, in place."""
        return pl.DataFrame([pl.Series(name, self.columns[name]) for name in DTYPES])

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one position to before another, as a view."""
        return self.frame.slice(first, max(after - first, 0))

    def unload(self) -> None:
        """Give back the memory of mapped columns."""
        # Not on Windows.
        if hasattr(mmap, "MADV_DONTNEED"):
            for file in self.files:
                file.madvise(mmap.MADV_DONTNEED)

    def pick(self, first: int, after: int, parts: list[pl.DataFrame]) -> Order:
        """Append rows to ``parts``, and return their positions among the rows of all parts."""
        start = sum(part.height for part in parts)
        parts.append(self.frame.slice(first, after - first))
        return np.arange(start, start + after - first, dtype=np.uint32)

    @cached_property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, by ``userId``, with ``num_ratings``."""
        if self.counted is not None:
            return self.counted
        return self.frame.group_by("userId").agg(num_ratings=pl.len()).sort("userId")

    def before(self, timestamp: int) -> int:
        """Return the number of earlier rows."""
        return int(self.columns["timestamp"].searchsorted(timestamp))

    def find(self, wanted: SortedRun) -> tuple[Places, Flags]:
        """Return the position at which each key is or would be inserted, and whether it exists."""
        timestamps, sought = self.columns["timestamp"], wanted.columns["timestamp"]
        places = timestamps.searchsorted(sought)
        there = np.zeros(len(sought), np.bool_)
        if not len(self):
            return places, there
        tied = np.flatnonzero(timestamps.take(places, mode="clip") == sought)
        if len(tied):
            after = timestamps.searchsorted(sought[tied], "right")
            places[tied], there[tied] = self._find_tied(wanted.taken(tied), places[tied], after)
        return places, there

    def _find_tied(self, wanted: SortedRun, low: Places, end: Places) -> tuple[Places, Flags]:
        """Bisect between the given places, where the timestamps are equal, by user and movie."""
        sought, high = wanted.pairs(slice(None)), end
        for _ in range(int((end - low).max()).bit_length()):
            # A finished search stays where it is, but must not read past its last row.
            middle = np.minimum((low + high) // 2, end - 1)
            is_less = (low < high) & (self.pairs(middle) < sought)
            low, high = np.where(is_less, middle + 1, low), np.where(is_less, high, middle)
        return low, (low < end) & (self.pairs(np.minimum(low, end - 1)) == sought)

    def pairs(self, places: Places | slice) -> Places:
        """Return user and movie of some rows as one number, which sorts like both."""
        users, movies = self.columns["userId"][places], self.columns["movieId"][places]
        pairs: Places = (users.astype(np.int64) << 32) + movies
        return pairs

    def taken(self, places: Places | Order) -> SortedRun:
        """Return some of the rows in the given order, which should be canonical."""
        return SortedRun({name: column[places] for name, column in self.columns.items()})

    def parts_of(self, user: int) -> list[SortedRun]:
        """Return the user's rows, as one run. The first call sorts all rows by user."""
        users, ends, order = self._by_user
        place = int(users.searchsorted(user))
        if users[place : place + 1].tolist() != [user]:
            return [self.taken(order[:0])]
        return [self.taken(order[ends[place - 1] if place else 0 : ends[place]])]

    @cached_property
    def _by_user(self) -> tuple[NDArray[Any], NDArray[Any], Order]:
        """All users, the number of rows of each and of the users before, and the positions of the rows by user."""
        users, counts = self.users["userId"].to_numpy(), self.users["num_ratings"].to_numpy()
        order = np.argsort(self.columns["userId"], kind="stable")
        return users, counts.cumsum(dtype=np.int64), order.astype(np.uint32)


def latest(columns: dict[str, NDArray[Any]]) -> Places:
    """Return the positions of rows in canonical order. Of rows with the same key, only the last one is included."""
    order = np.lexsort((columns["movieId"], columns["userId"], columns["timestamp"]))
    is_last = np.zeros(len(order), np.bool_)
    is_last[-1:] = True
    for name in ("timestamp", "userId", "movieId"):
        ordered = columns[name][order]
        is_last[:-1] |= ordered[1:] != ordered[:-1]
    return order[is_last]


class Layer(Protocol):
    """Immutable ratings in canonical order: a sorted run, or an overlay on another layer."""

    def __len__(self) -> int:
        """Return the number of ratings, including those of the layers below."""

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one position to before another."""

    def unload(self) -> None:
        """Give back the memory of mapped columns."""

    def pick(self, first: int, after: int, parts: list[pl.DataFrame]) -> Order:
        """Append rows to ``parts``, and return their positions among the rows of all parts."""

    def before(self, timestamp: int) -> int:
        """Return the number of earlier rows."""

    def find(self, wanted: SortedRun) -> tuple[Places, Flags]:
        """Return the position at which each key is or would be inserted, and whether it exists."""

    def parts_of(self, user: int) -> list[SortedRun]:
        """Return the user's rows of each layer, the lowest first. A row replaces those with its key in lower layers."""

    @property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, by ``userId``, with ``num_ratings``."""


class Overlay:
    """Ratings over another layer. Each adds a row to it, or replaces the row with the same key.

    Positions are found by counting: a page of this layer is a page of the layer below, shifted by the number of rows
    added before it, plus the changes that fall into it.

    Args:
        below: The layer below.
        changes: The ratings over it.
        places: For each change, its position in the layer below.
        is_new: For each change, whether it adds a row.

    Attributes:
        ranks: For each change, its position in this layer.
        added_before: For each change, how many rows the changes before it add. The last value is for all changes.
    """

    def __init__(self, below: Layer, changes: SortedRun, places: Places, is_new: Flags) -> None:
        self.below = below
        self.changes = changes
        self.places = places
        self.is_new = is_new
        self.added_before = np.zeros(len(changes) + 1, np.int64)
        np.cumsum(is_new, out=self.added_before[1:])
        self.ranks = places + self.added_before[:-1]

    @classmethod
    def on(cls, below: Layer, changes: SortedRun) -> Overlay:
        """Return an overlay of ratings on a layer."""
        places, is_there = below.find(changes)
        return cls(below, changes, places, ~is_there)

    def __len__(self) -> int:
        return len(self.below) + int(self.added_before[-1])

    def before(self, timestamp: int) -> int:
        """Return the number of earlier rows."""
        return self.below.before(timestamp) + int(self.added_before[self.changes.before(timestamp)])

    def find(self, wanted: SortedRun) -> tuple[Places, Flags]:
        """Return the position at which each key is or would be inserted, and whether it exists."""
        places, is_below = self.below.find(wanted)
        changes, is_here = self.changes.find(wanted)
        return places + self.added_before[changes], is_below | is_here

    def parts_of(self, user: int) -> list[SortedRun]:
        """Return the user's rows of each layer, the lowest first. A row replaces those with its key in lower layers."""
        changed = np.flatnonzero(self.changes.columns["userId"] == user)
        return [*self.below.parts_of(user), self.changes.taken(changed)]

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one position to before another, as a view if nothing was changed among them."""
        start, end, first_below, after_below = self._within(first, after)
        if start == end:
            return self.below.rows(first_below, after_below)
        parts: list[pl.DataFrame] = []
        order = self.pick(first, after, parts)
        return reduce(pl.DataFrame.vstack, parts)[pl.Series(order)]

    def unload(self) -> None:
        """Give back the memory of mapped columns."""
        self.below.unload()

    def pick(self, first: int, after: int, parts: list[pl.DataFrame]) -> Order:
        """Append rows to ``parts``, and return their positions among the rows of all parts."""
        start, end, first_below, after_below = self._within(first, after)
        below = self.below.pick(first_below, after_below, parts)
        if start == end:
            return below
        is_changed = np.zeros(after - first, np.bool_)
        is_added = np.zeros(after - first, np.int64)
        changed = self.ranks[start:end] - first
        is_changed[changed], is_added[changed] = True, self.is_new[start:end]
        order = np.empty(after - first, np.uint32)
        order[changed] = self.changes.pick(start, end, parts)
        unchanged = np.flatnonzero(~is_changed)
        order[unchanged] = below[unchanged - np.cumsum(is_added)[unchanged]]
        return order

    def _within(self, first: int, after: int) -> tuple[int, int, int, int]:
        """Return which changes are between two positions, and these positions in the layer below."""
        start, end = self.ranks.searchsorted((first, after)).tolist()
        return start, end, first - int(self.added_before[start]), after - int(self.added_before[end])

    @cached_property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, by ``userId``, with ``num_ratings``."""
        users = self.changes.columns["userId"][self.is_new]
        added = pl.DataFrame({"userId": users}).group_by("userId").agg(num_ratings=pl.len())
        return pl.concat([self.below.users, added]).group_by("userId").agg(pl.col("num_ratings").sum()).sort("userId")


def join(upper: Overlay, lower: Overlay) -> Overlay:
    """Merge an overlay with the one below it.

    Ratings are not compared: their positions determine where each change goes.
    """
    at = lower.ranks.searchsorted(upper.places)
    again = ~upper.is_new & (np.append(lower.ranks, -1)[at] == upper.places)
    other = ~again
    columns = dict(lower.changes.columns)
    columns["rating"] = columns["rating"].copy()
    columns["rating"][at[again]] = upper.changes.columns["rating"][again]

    def inserted(into: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
        return np.insert(into, at[other], values[other])

    changes = {name: inserted(column, upper.changes.columns[name]) for name, column in columns.items()}
    places = inserted(lower.places, upper.places - lower.added_before[at])
    return Overlay(lower.below, SortedRun(changes), places, inserted(lower.is_new, upper.is_new))
