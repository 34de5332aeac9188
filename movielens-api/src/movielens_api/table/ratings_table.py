"""A state of the ratings, any window of it, and the state after further ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from movielens_api.system.days import day_of, start_of_day
from movielens_api.table.sorted_run import DTYPES, Digest, Layer, Overlay, SortedRun, join, latest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

SCHEMA: dict[str, type[pl.DataType]] = {
    "userId": pl.Int32,
    "movieId": pl.Int32,
    "rating": pl.Float32,
    "timestamp": pl.Int64,
}
ORDER = ["timestamp", "userId", "movieId"]
_ROWS_PER_DIGESTED_CHUNK = 1 << 18
# Merging up to MAX_IN_TOP changes takes about as long as merging one. Each overlay has at least GROWTH times the
# changes of the one above.
MAX_IN_TOP = 2_000
_GROWTH = 8


class RatingsTable:
    """Ratings in the canonical order ``timestamp, userId, movieId``. A table is immutable.

    Args:
        ratings: Rows with the columns of ``SCHEMA``, in any order. ``timestamp`` is Unix seconds in UTC.

    Attributes:
        max_in_top: How many changes the top layer has at most before another one is laid over it.
        growth: How many times the changes of the layer above a layer has at least, once folded.

    Raises:
        ValueError: Two rows have the same user, movie and timestamp.
    """

    max_in_top = MAX_IN_TOP
    growth = _GROWTH

    def __init__(self, ratings: pl.DataFrame) -> None:
        ordered = _as_stored(ratings).sort(ORDER).rechunk()
        _refuse_repetition(ordered)
        self._layer: Layer = SortedRun.of(ordered)
        self._digest: bytes | None = None

    @classmethod
    def of(cls, layer: Layer, digest: bytes | None = None) -> RatingsTable:
        """Return a table of ratings that are sorted already, and whose digest may be known."""
        table = cls.__new__(cls)
        table._layer, table._digest = layer, digest
        return table

    def __len__(self) -> int:
        return len(self._layer)

    def with_ratings(self, ratings: pl.DataFrame) -> RatingsTable:
        """Return the table with further ratings. Both tables share what they can.

        A rating replaces an earlier one with the same user, movie and timestamp. For a few ratings, this takes less
        than a millisecond however large the table is, as long as ``folded`` is called now and then.

        Args:
            ratings: Rows with the columns of ``SCHEMA``, in the order in which they were posted.
        """
        if ratings.is_empty():
            return self
        given = SortedRun.of(_as_stored(ratings))
        top = Overlay.on(self._layer, given.taken(latest(given.columns)))
        if isinstance(top.below, Overlay) and len(top.changes) + len(top.below.changes) <= self.max_in_top:
            top = join(top, top.below)
        return self.of(top)

    def folded(self) -> RatingsTable:
        """Return the same ratings in fewer layers, or this table if there is nothing to do.

        Call it after the table is published: the time it takes depends on how many ratings were posted.
        """
        top = self._layer
        while isinstance(top, Overlay) and isinstance(top.below, Overlay):
            if len(top.changes) * self.growth <= len(top.below.changes):
                break
            top = join(top, top.below)
        return self if top is self._layer else self.of(top)

    def window(self, start: date | None = None, end: date | None = None) -> pl.DataFrame:
        """Return the ratings of whole UTC days.

        Args:
            start: The first day, inclusive. None means from the first rating.
            end: The day after the last one, exclusive. None means to the last rating.
        """
        return self.rows(*self.bounds(start, end))

    def bounds(self, start: date | None = None, end: date | None = None) -> tuple[int, int]:
        """Return the positions of the first row of a window and of the row after its last."""
        first = 0 if start is None else self._layer.before(start_of_day(start))
        after = len(self) if end is None else self._layer.before(start_of_day(end))
        return first, max(first, after)

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one position to before another, as a view if nothing was posted among them."""
        after = min(after, len(self))
        return self._layer.rows(min(first, after), after)

    def chunks(self, first: int, after: int, size: int) -> Iterator[pl.DataFrame]:
        """Yield the rows from one position to before another in chunks. Only one chunk is in memory at a time."""
        after = min(after, len(self))
        for start in range(first, after, size):
            yield self.rows(start, min(start + size, after))
            if after - first > size:
                self.unload()

    def unload(self) -> None:
        """Give back the memory of columns that are mapped from files. What is used again is read again."""
        self._layer.unload()

    @property
    def users(self) -> pl.DataFrame:
        """Everyone who rated, ordered by ``userId``, with ``num_ratings``."""
        return self._layer.users

    def of_user(self, user: int) -> SortedRun:
        """Return the ratings of a user. Takes a fraction of a millisecond after `index_users`."""
        parts = self._layer.parts_of(user)
        rows = {name: np.concatenate([part.columns[name] for part in parts]) for name in DTYPES}
        return SortedRun(rows).taken(latest(rows))

    def index_users(self) -> None:
        """Sort the ratings by user once, which takes 4 bytes for each rating, for `of_user`."""
        self._layer.parts_of(0)

    def digest(self) -> bytes:
        """Return a digest of the ratings. Unless they come from a base, the first call reads all of them."""
        if self._digest is None:
            digest = Digest()
            for rows in self.chunks(0, len(self), _ROWS_PER_DIGESTED_CHUNK):
                digest.update(rows)
            self._digest = digest.value()
        return self._digest

    def days(self) -> tuple[date, date] | None:
        """Return the first and the last day with a rating, or None without ratings."""
        if not len(self):
            return None
        first, last = (self.rows(place, place + 1)["timestamp"].item() for place in (0, len(self) - 1))
        return day_of(first), day_of(last)


def _as_stored(ratings: pl.DataFrame) -> pl.DataFrame:
    if ratings.schema == SCHEMA:
        return ratings
    return ratings.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())


def _refuse_repetition(ordered: pl.DataFrame) -> None:
    # In sorted rows, duplicates are neighbours. Hashing them takes four times the memory of the ratings.
    repeats = ordered.select(pl.all_horizontal(pl.col(ORDER).diff() == 0).fill_null(value=False)).to_series()
    place = repeats.arg_max()
    if place is not None and repeats[place]:
        row = ordered.row(place, named=True)
        raise ValueError("user {userId} rated movie {movieId} more than once at {timestamp}".format(**row))
