"""Ratings over ratings: what was posted, with the places where it belongs in the ratings below."""

from functools import cached_property, reduce
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from movielens_api.sorted_run import Flags, Order, Places, SortedRun


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
    def on(cls, below: Layer, changes: SortedRun) -> "Overlay":
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
