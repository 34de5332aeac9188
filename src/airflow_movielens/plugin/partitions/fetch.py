"""A fetch, as the catalogue recorded it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from airflow_movielens.plugin.partitions.recorded_file import RecordedFile

_FIRST_YEAR, _LAST_YEAR = 1970, 2099
"""A fetch of any other day is a mistake."""


@dataclass(frozen=True)
class Fetch(RecordedFile):
    """A fetch of a window into a file."""

    @property
    def succeeded(self) -> bool:
        """Whether the file was written."""
        return self.record.succeeded

    @property
    def error(self) -> str | None:
        """Why it failed."""
        return self.record.error

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.rpartition("/")[2]

    @property
    def time(self) -> str:
        """When it ended, to the minute, as a person reads it."""
        return f"{self.at[:10]} {self.at[11:16]} UTC"

    @property
    def window(self) -> str:
        """The window in words."""
        return "not known" if "start_date" not in self.record.facts else window_in_words(self.start, self.end)

    @property
    def folder(self) -> str:
        """The folder of the file."""
        return folder_of(self.path)

    @cached_property
    def start(self) -> date | None:
        """The first day of the window; None if it is open or unknown."""
        return _day(self.fact("start_date"))

    @cached_property
    def end(self) -> date | None:
        """The first day after the window; None if it is open or unknown."""
        return _day(self.fact("end_date"))

    @cached_property
    def day(self) -> date | None:
        """The day, if the window is exactly one day on which there can be ratings."""
        if self.start is None or not _FIRST_YEAR <= self.start.year <= _LAST_YEAR:
            return None
        return self.start if self.end == self.start + timedelta(days=1) else None

    @property
    def rows(self) -> int:
        """The number of ratings; 0 after a failure."""
        return int(self.fact("rows") or 0)

    @property
    def quarantined(self) -> int:
        """The number of further rows that broke the contract; 0 after a failure."""
        return int(self.fact("quarantined") or 0)

    @property
    def sha256(self) -> str | None:
        """The checksum of the file; None after a failure."""
        return self.fact("sha256") if self.succeeded else None

    @property
    def histogram(self) -> list[int] | None:
        """The numbers of ratings with 0.5, 1, … 5 stars; None if the manifest has none."""
        counts = self.fact("histogram")
        return [int(count) for count in counts] if self.succeeded and counts else None

    def covers(self, day: date) -> bool:
        """Return whether the window contains ``day``; an open end contains all days."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


def window_in_words(start: date | None, end: date | None) -> str:
    """Return a window as the first and the last day; one that is open at a side in words."""
    last = None if end is None else end - timedelta(days=1)
    if start is None:
        return "all days" if last is None else f"until {last}"
    if start == last:
        return str(start)
    return f"from {start}" if last is None else f"{start} to {last}"


def folder_of(path: str) -> str:
    """Return the folder of a path or URL."""
    return path.rpartition("/")[0]


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
