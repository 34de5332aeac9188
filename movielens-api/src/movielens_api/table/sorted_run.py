"""What only the same ratings have, however they are held."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray


class Digest:
    """A digest of ratings, which are given chunk by chunk; how they are cut does not matter."""

    def __init__(self) -> None:
        self._columns = {name: sha256() for name in DTYPES}

    def update(self, rows: pl.DataFrame) -> dict[str, memoryview]:
        """Take the next rows, and return their columns as bytes."""
        columns = SortedRun.of(rows).columns
        contents = {name: columns[name].astype(dtype, copy=False).data for name, dtype in DTYPES.items()}
        for name, content in contents.items():
            self._columns[name].update(content)
        return contents

    def value(self) -> bytes:
        """Return the digest of all rows so far."""
        return sha256(b"".join(column.digest() for column in self._columns.values())).digest()


# How ratings are sent, and how they lie in memory and on disk.
DTYPES = {"movieId": "<i4", "rating": "<f4", "timestamp": "<i8", "userId": "<i4"}

Places = NDArray[np.int64]
Order = NDArray[np.uint32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SortedRun:
    """Ratings by `timestamp`, `userId`, `movieId`; no two have the same.

    numpy rather than polars: a search takes 0.6 µs instead of 50, a column can be a file mapped into memory, and
    polars reads the columns where they are.

    Args:
        columns: the columns of `DTYPES`, each of its type.
        counted: the users, if they are known.
    """

    columns: dict[str, NDArray[Any]]
    counted: pl.DataFrame | None = None

    @classmethod
    def of(cls, rows: pl.DataFrame) -> SortedRun:
        """Take the columns of a frame without copying them.

        Raises:
            ValueError: a value is missing.
        """
        if any(rows[name].has_nulls() for name in DTYPES):
            raise ValueError("a rating lacks a value")
        return cls({name: rows[name].to_numpy() for name in DTYPES})

    def __len__(self) -> int:
        return len(self.columns["timestamp"])

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The columns as polars sees them, in place."""
        return pl.DataFrame([pl.Series(name, self.columns[name]) for name in DTYPES])

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one place to before another, as a view that copies nothing."""
        return self.frame.slice(first, max(after - first, 0))

    def pick(self, first: int, after: int, parts: list[pl.DataFrame]) -> Order:
        """Add rows to parts, and return which of all parts' rows they are."""
        start = sum(part.height for part in parts)
        parts.append(self.frame.slice(first, after - first))
        return np.arange(start, start + after - first, dtype=np.uint32)

    @cached_property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, by `userId`, with `num_ratings`."""
        if self.counted is not None:
            return self.counted
        return self.frame.group_by("userId").agg(num_ratings=pl.len()).sort("userId")

    def before(self, timestamp: int) -> int:
        """Return how many rows are earlier."""
        return int(self.columns["timestamp"].searchsorted(timestamp))

    def find(self, wanted: SortedRun) -> tuple[Places, Flags]:
        """Return where each of the wanted keys is or would be put, and whether it is there."""
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
            # A search that is over stays where it is, but must not look beyond its last row.
            middle = np.minimum((low + high) // 2, end - 1)
            is_less = (low < high) & (self.pairs(middle) < sought)
            low, high = np.where(is_less, middle + 1, low), np.where(is_less, high, middle)
        return low, (low < end) & (self.pairs(np.minimum(low, end - 1)) == sought)

    def pairs(self, places: Places | slice) -> Places:
        """Return user and movie of some rows as one number, in the order of both."""
        users, movies = self.columns["userId"][places], self.columns["movieId"][places]
        pairs: Places = (users.astype(np.int64) << 32) + movies
        return pairs

    def taken(self, places: Places) -> SortedRun:
        """Return some of the rows, in the order given, which should be the canonical one."""
        return SortedRun({name: column[places] for name, column in self.columns.items()})


def latest(columns: dict[str, NDArray[Any]]) -> Places:
    """Return the places of rows in canonical order: of those with the same key, only the last one given."""
    order = np.lexsort((columns["movieId"], columns["userId"], columns["timestamp"]))
    is_last = np.zeros(len(order), np.bool_)
    is_last[-1:] = True
    for name in ("timestamp", "userId", "movieId"):
        ordered = columns[name][order]
        is_last[:-1] |= ordered[1:] != ordered[:-1]
    return order[is_last]


class Layer(Protocol):
    """Ratings in canonical order that never change: a sorted run, or an overlay on another layer."""

    def __len__(self) -> int:
        """Return how many ratings there are, those of the layers below included."""

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one place to before another."""

    def pick(self, first: int, after: int, parts: list[pl.DataFrame]) -> Order:
        """Add rows to parts, and return which of all parts' rows are those from one place to before another."""

    def before(self, timestamp: int) -> int:
        """Return how many rows are earlier."""

    def find(self, wanted: SortedRun) -> tuple[Places, Flags]:
        """Return where each of the wanted keys is or would be put, and whether it is there."""

    @property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, by `userId`, with `num_ratings`."""


class Overlay:
    """Some ratings over a layer: each adds a row to it, or replaces the row of the same key.

    Any place is found by counting: a page of this layer is a page of the layer below, moved by as many rows as were
    added before it, with the changes that fall into it.

    Args:
        below: the layer below.
        changes: the ratings over it.
        places: for each change, where it is or would be put in the layer below.
        is_new: for each change, whether it adds a row.

    Attributes:
        ranks: for each change, where it is in this layer.
        added_before: how many rows the changes before each one add; at the end, how many all add.
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
        """Put ratings over a layer."""
        places, is_there = below.find(changes)
        return cls(below, changes, places, ~is_there)

    def __len__(self) -> int:
        return len(self.below) + int(self.added_before[-1])

    def before(self, timestamp: int) -> int:
        """Return how many rows are earlier."""
        return self.below.before(timestamp) + int(self.added_before[self.changes.before(timestamp)])

    def find(self, wanted: SortedRun) -> tuple[Places, Flags]:
        """Return where each of the wanted keys is or would be put, and whether it is there."""
        places, is_below = self.below.find(wanted)
        changes, is_here = self.changes.find(wanted)
        return places + self.added_before[changes], is_below | is_here

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one place to before another, as a view where nothing was changed."""
        start, end, first_below, after_below = self._within(first, after)
        if start == end:
            return self.below.rows(first_below, after_below)
        parts: list[pl.DataFrame] = []
        order = self.pick(first, after, parts)
        return reduce(pl.DataFrame.vstack, parts)[pl.Series(order)]

    def pick(self, first: int, after: int, parts: list[pl.DataFrame]) -> Order:
        """Add rows to parts, and return which of all parts' rows are those from one place to before another."""
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
        """Return which changes are between two places, and where these places are in the layer below."""
        start, end = self.ranks.searchsorted((first, after)).tolist()
        return start, end, first - int(self.added_before[start]), after - int(self.added_before[end])

    @cached_property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, by `userId`, with `num_ratings`."""
        users = self.changes.columns["userId"][self.is_new]
        added = pl.DataFrame({"userId": users}).group_by("userId").agg(num_ratings=pl.len())
        return pl.concat([self.below.users, added]).group_by("userId").agg(pl.col("num_ratings").sum()).sort("userId")


def join(upper: Overlay, lower: Overlay) -> Overlay:
    """Return one overlay instead of two, the upper of which is on the lower.

    No rating is compared with another: the places say where each change goes.
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
