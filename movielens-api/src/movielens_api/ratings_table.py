"""Ratings as sorted columns: any window, its size and any offset in it cost two binary searches."""

from bisect import bisect_left
from datetime import UTC, date, datetime
from hashlib import sha256
from io import BytesIO

import polars as pl

SCHEMA: dict[str, type[pl.DataType]] = {
    "userId": pl.Int32,
    "movieId": pl.Int32,
    "rating": pl.Float32,
    "timestamp": pl.Int64,
}
ORDER = ["timestamp", "userId", "movieId"]
WIRE_COLUMNS = ["movieId", "rating", "timestamp", "userId"]
SECONDS_PER_DAY = 86_400
ROWS_PER_DIGESTED_CHUNK = 1 << 18


class RatingsTable:
    """All ratings, in the canonical order `timestamp, userId, movieId`.

    Args:
        ratings: rows with the columns of `SCHEMA`, in any order; `timestamp` is Unix seconds in UTC.

    Raises:
        ValueError: two rows have the same user, movie and timestamp, so they are not two ratings.
    """

    def __init__(self, ratings: pl.DataFrame) -> None:
        ordered = ratings.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()).sort(ORDER).rechunk()
        _refuse_repetition(ordered)
        self._rows = ordered.select(WIRE_COLUMNS)
        self._timestamps = ordered["timestamp"]

    def __len__(self) -> int:
        return self._rows.height

    def window(self, start: date | None = None, end: date | None = None) -> pl.DataFrame:
        """Return the ratings of whole UTC days as a view that copies nothing.

        Args:
            start: the first day, inclusive; None means from the first rating on.
            end: the day after the last, exclusive; None means up to the last rating.
        """
        return self.rows(*self.bounds(start, end))

    def bounds(self, start: date | None = None, end: date | None = None) -> tuple[int, int]:
        """Return the places of a window's first row and of the row after its last."""
        first = 0 if start is None else self._rows_before(start)
        after = len(self) if end is None else self._rows_before(end)
        return first, max(first, after)

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Return the rows from one place to before another, as a view that copies nothing."""
        return self._rows.slice(first, max(after - first, 0))

    def digest(self) -> bytes:
        """Return what only the same ratings have. It reads all of them: 25 million take about a second."""
        digest = sha256()
        for start in range(0, len(self), ROWS_PER_DIGESTED_CHUNK):
            written = BytesIO()
            self._rows.slice(start, ROWS_PER_DIGESTED_CHUNK).write_ipc_stream(written)
            digest.update(written.getbuffer())
        return digest.digest()

    def days(self) -> tuple[date, date] | None:
        """Return the first and the last day with a rating, or None without ratings."""
        if not len(self):
            return None
        return _day_of(self._timestamps[0]), _day_of(self._timestamps[-1])

    def _rows_before(self, day: date) -> int:
        # bisect takes 5 µs on 25 million rows; Series.search_sorted plans a query first and takes 80.
        return bisect_left(self._timestamps, _midnight(day))


def _refuse_repetition(ordered: pl.DataFrame) -> None:
    # Sorted, equal rows are neighbours; hashing them instead takes four times the memory of the ratings.
    repeats = ordered.select(pl.all_horizontal(pl.col(ORDER).diff() == 0).fill_null(value=False)).to_series()
    place = repeats.arg_max()
    if place is not None and repeats[place]:
        row = ordered.row(place, named=True)
        raise ValueError("user {userId} rated movie {movieId} more than once at {timestamp}".format(**row))


def _midnight(day: date) -> int:
    return (day - date(1970, 1, 1)).days * SECONDS_PER_DAY


def _day_of(timestamp: int) -> date:
    return datetime.fromtimestamp(timestamp, UTC).date()
