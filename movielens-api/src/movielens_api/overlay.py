"""Ratings over ratings: what was posted, with the places where it belongs in the ratings below."""

from functools import cached_property
from typing import Protocol

import numpy as np
import polars as pl

from movielens_api.sorted_run import Flags, Places, SortedRun, latest


class Layer(Protocol):
    """Ratings in canonical order that never change: a sorted run, or an overlay on another layer."""

    def __len__(self) -> int:
        """Return how many ratings there are, those of the layers below included."""

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one place to before another."""

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
        below: the layer below.
        changes: the ratings over it.
    """

    def __init__(self, below: Layer, changes: SortedRun, places: Places, is_new: Flags) -> None:
        self.below = below
        self.changes = changes
        self._places = places
        self._is_new = is_new
        self._added_before = np.zeros(len(changes) + 1, np.int64)
        np.cumsum(is_new, out=self._added_before[1:])
        # Where the changes are in this layer.
        self._ranks = places + self._added_before[:-1]

    @classmethod
    def on(cls, below: Layer, changes: SortedRun) -> "Overlay":
        """Put ratings over a layer."""
        places, is_there = below.find(changes)
        return cls(below, changes, places, ~is_there)

    def merged(self, later: SortedRun) -> "Overlay":
        """Return an overlay on the same layer with later ratings added; of the same key, the later rating holds."""
        places, is_there = self.below.find(later)
        columns = {name: np.concatenate((column, later.columns[name])) for name, column in self.changes.columns.items()}
        chosen = latest(columns)
        return Overlay(
            self.below,
            SortedRun(columns).taken(chosen),
            np.concatenate((self._places, places))[chosen],
            np.concatenate((self._is_new, ~is_there))[chosen],
        )

    def __len__(self) -> int:
        return len(self.below) + int(self._added_before[-1])

    def before(self, timestamp: int) -> int:
        """Return how many rows are earlier."""
        return self.below.before(timestamp) + int(self._added_before[self.changes.before(timestamp)])

    def find(self, wanted: SortedRun) -> tuple[Places, Flags]:
        """Return where each of the wanted keys is or would be put, and whether it is there."""
        places, is_below = self.below.find(wanted)
        changes, is_here = self.changes.find(wanted)
        return places + self._added_before[changes], is_below | is_here

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one place to before another, as a view where nothing was changed."""
        start, end = self._ranks.searchsorted((first, after)).tolist()
        below = self.below.rows(first - int(self._added_before[start]), after - int(self._added_before[end]))
        return below if start == end else self._changed(below, first, start, end)

    def _changed(self, below: pl.DataFrame, first: int, start: int, end: int) -> pl.DataFrame:
        """Weave changes into the rows of the layer below: each row is gathered from one or the other."""
        ranks, is_new = self._ranks[start:end] - first, self._is_new[start:end]
        order = np.arange(below.height + np.count_nonzero(is_new), dtype=np.uint32)
        shift = np.zeros(len(order), np.uint32)
        shift[ranks] = is_new
        order -= np.cumsum(shift, dtype=np.uint32)
        order[ranks] = np.arange(below.height, below.height + end - start, dtype=np.uint32)
        return below.vstack(self.changes.rows(start, end))[pl.Series(order)]

    @cached_property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, by `userId`, with `num_ratings`."""
        users = self.changes.columns["userId"][self._is_new]
        added = pl.DataFrame({"userId": users}).group_by("userId").agg(num_ratings=pl.len())
        return pl.concat([self.below.users, added]).group_by("userId").agg(pl.col("num_ratings").sum()).sort("userId")
