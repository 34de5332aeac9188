"""The progress of a fetch."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from airflow_movielens.client.rows import Bookmark


@dataclass(frozen=True)
class Progress:
    """The progress of a fetch.

    Attributes:
        rows: How many rows of the window have arrived, including those of earlier attempts.
        total: The server's number of rows in the window; None if it sends none.
        pages: How many pages, or pieces of a streamed response, this attempt has read.
        seconds: How long this attempt has been running.
        resumed_rows: How many of ``rows`` are from an earlier attempt.
    """

    rows: int
    total: int | None
    pages: int
    seconds: float
    resumed_rows: int = 0

    @property
    def rate(self) -> float:
        """Rows per second of this attempt; 0 before any row arrived."""
        return (self.rows - self.resumed_rows) / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds left at this rate; None if unknown."""
        return max(self.total - self.rows, 0) / self.rate if self.total is not None and self.rate > 0 else None

    def __str__(self) -> str:
        known = self.total is not None and self.total > 0
        share = f" of {self.total:,} ({100 * self.rows // self.total:.0f} %)" if known and self.total else ""
        left = f", {self.eta:,.0f} s left" if self.eta is not None else ""
        return f"{self.rows:,}{share} ratings, {self.rate:,.0f} a second{left}"


class Meter:
    """A counter of the pages of an attempt, which reports the progress.

    Args:
        report: Called with the progress after each page, and when a fetch resumes; None for no reports.
    """

    def __init__(self, report: Callable[[Progress], None] | None) -> None:
        self._report = report
        self._start = monotonic()
        self._pages = 0
        self._resumed_rows = 0

    def resume(self, bookmark: Bookmark | None) -> None:
        """Begin to count after ``bookmark``, and report it if there is one, because no page may follow."""
        self._resumed_rows = 0 if bookmark is None else bookmark.count
        if bookmark is not None:
            self._report_progress(bookmark)

    def count(self, bookmark: Bookmark) -> None:
        """Count a page, with the ``bookmark`` after it."""
        self._pages += 1
        self._report_progress(bookmark)

    def _report_progress(self, bookmark: Bookmark) -> None:
        if self._report is not None:
            seconds = monotonic() - self._start
            self._report(Progress(bookmark.count, bookmark.total, self._pages, seconds, self._resumed_rows))


class LogProgress:
    """A progress callback that writes a log line every few seconds.

    Args:
        logger: The logger to write to.
        every: Seconds between two lines.

    Attributes:
        last: The last progress; that of a start before any page.
    """

    def __init__(self, logger: Logger, every: float = 5.0) -> None:
        self._logger = logger
        self._every = every
        self._next = every
        self.last = Progress(0, None, 0, 0.0)

    def __call__(self, progress: Progress) -> None:
        """Write a line if one is due."""
        self.last = progress
        if progress.seconds >= self._next:
            self._next = progress.seconds + self._every
            self._logger.info("%s", progress)
