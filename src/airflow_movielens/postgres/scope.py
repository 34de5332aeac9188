"""Which rows of a table a load replaces: those of windows, those of a day's partition, or all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from airflow_movielens.client import DataError, Window
from airflow_movielens.postgres.contents import PARTITION

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

MANY_DAYS = 31
"""A load of more days locks the whole table, instead of each day."""


@dataclass(frozen=True)
class Scope:
    """Which rows of a table a load replaces; all of them by default.

    Attributes:
        windows: Those of ratings in these windows, which are in order and do not overlap.
        partition: Those of this day's partition.
    """

    windows: tuple[Window, ...] = ()
    partition: date | None = None

    @classmethod
    def of_windows(cls, windows: Iterable[Window]) -> Scope:
        """Return the scope of windows, of which those that touch or overlap become one."""
        joined: list[Window] = []
        for window in sorted(windows, key=lambda window: window.start or date.min):
            last = joined[-1] if joined else None
            if last is None or (last.end is not None and window.start is not None and last.end < window.start):
                joined.append(window)
            else:
                ends = [last.end, window.end]
                joined[-1] = Window(last.start, None if None in ends else max(end for end in ends if end is not None))
        return cls(tuple(joined))

    @property
    def condition(self) -> str:
        """Which rows of a table ``t`` they are, in SQL."""
        if self.partition is not None:
            return f"t.\"{PARTITION}\" = DATE '{self.partition.isoformat()}'"
        return " OR ".join(f"({_condition(window)})" for window in self.windows) or "TRUE"

    @property
    def days(self) -> list[date] | None:
        """The days that the scope consists of, in order; None if they are too many, or all."""
        if self.partition is not None:
            return [self.partition]
        found: list[date] = []
        for window in self.windows:
            if window.start is None or window.end is None or (window.end - window.start).days > MANY_DAYS:
                return None
            found += map(date.fromordinal, range(window.start.toordinal(), window.end.toordinal()))
        return found if 0 < len(found) <= MANY_DAYS else None

    def check(self, rows: pl.DataFrame) -> None:
        """Check that ratings lie in the windows.

        Raises:
            DataError: One does not.
        """
        import polars as pl

        if not self.windows:
            return
        stamp = pl.col("timestamp")
        bounds = [window.timestamps() for window in self.windows]
        inside = [
            stamp.ge(start or 0) & (stamp.lt(end) if end is not None else pl.lit(value=True)) for start, end in bounds
        ]
        outside = rows.filter(~pl.any_horizontal(inside))
        if len(outside):
            second = outside["timestamp"][0]
            moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")
            raise DataError(
                f"the input has a rating of {moment} UTC (timestamp {second}), which lies outside {self}, the rows to "
                "replace: give start_date and end_date so that they cover all ratings of the input"
            )

    def summary(self) -> dict[str, str | None]:
        """Return the days from the first to the last, for a return value; None for an open side."""
        if not self.windows:
            return {"partition": None if self.partition is None else self.partition.isoformat()}
        start, end = self.windows[0].start, self.windows[-1].end
        return {
            "start_date": None if start is None else start.isoformat(),
            "end_date": None if end is None else end.isoformat(),
        }

    def __str__(self) -> str:
        if self.partition is not None:
            return f"the partition {self.partition}"
        return ", ".join(map(str, self.windows)) or "the whole table"


def _condition(window: Window) -> str:
    start, end = window.timestamps()
    bounds = [None if start is None else f't."timestamp" >= {start}', None if end is None else f't."timestamp" < {end}']
    return " AND ".join(bound for bound in bounds if bound is not None) or "TRUE"
