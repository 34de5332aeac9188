"""Verify that a server's days are the requested days, and that it returns all of them.

Rows outside of the window reveal a server whose days are those of another time zone. At the edges of the data there
are no such rows, but rows of the window may still be missing. These lie at the end of the server's day before the
window, or at the beginning of its day after it: rows are in order, and no time zone differs from UTC by a day. So two
rows verify the window.

A server may also return fewer days than requested: all but the first one, only the first one, or as many as it allows.
So the day before is requested together with the days before the first row, and the day after together with those after
the last row.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import DataError, FatalError, RatingsChangedError
from airflow_movielens.client.pagination.detect import read_window, resume_window
from airflow_movielens.client.window import Window, shifted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import date

    from airflow_movielens.client.pagination.source import Source
    from airflow_movielens.client.rows import Batch, Bookmark, Page, SentRow

log = logging.getLogger(__name__)

_CHANGES_TOLERATED = 3
_DAY = timedelta(days=1)
_NO_SUCH_ROW = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
_LIMIT_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


class _AnyTimestamps(Window):
    """Days of a server whose rows may have any timestamp, because these are what is verified."""

    def timestamps(self) -> tuple[int | None, int | None]:
        """See `Window`."""
        return None, None


def read_verified(source: Source, window: Window, at: Bookmark | None = None) -> Generator[Batch, None, None]:
    """Read a window; before the first and the last batch, verify that no row is missing at that end.

    A server that names its snapshot and its total follows the contract of `movielens-api`, whose days are UTC days.

    Args:
        source: The source of the batches; its window has the requested days.
        window: The UTC days to read.
        at: The bookmark after which to resume; None to read from the start.

    Yields:
        The batches, with only the rows of the window.

    Raises:
        DataError: The server has rows of the window on other days, or all of two or more rows break the contract.
        RatingsChangedError: The data changed meanwhile.
        MovielensError: See its other subclasses.
    """
    example = ""
    with closing(read_window(source) if at is None else resume_window(source, at)) as batches:
        for batch in batches:
            _verify_ends(source, window, batch)
            example = example or (f", such as {batch.rows.bad[0]}" if batch.rows.bad else "")
            read = batch.bookmark
            if batch.is_last and read.count > 1 and read.last_good is None:
                message = f"none of the {read.count} rows of {window} keeps the contract{example}"
                raise DataError(message, None, batch.rows.bad)
            yield batch if source.window == window else batch.between(*window.timestamps())


def _verify_ends(source: Source, window: Window, batch: Batch) -> None:
    at = batch.bookmark
    is_by_contract = at.snapshot is not None and at.total is not None and type(source.window) is Window
    # Equal bounds mean no days, or, if both are open, all days.
    if is_by_contract or window.start == window.end:
        return
    verification = _Verification(source, window, batch)
    if batch.bookmark.count == batch.rows.count:
        verification.verify_start()
    if batch.is_last:
        verification.verify_end()


@dataclass(frozen=True)
class _Verification:
    """The verification of a window, at the batch with its first or its last row.

    Attributes:
        source: The source of the batch.
        window: The UTC days to read.
        batch: The batch; the only one if it has no rows.
    """

    source: Source
    window: Window
    batch: Batch

    def verify_start(self) -> None:
        """Check the last row before the first one received."""
        days = self._days_before()
        if days is None:
            return
        for _ in range(_CHANGES_TOLERATED):
            first = self._row_of(days, 0, is_received=self._is_received_at_start)
            if first is None or not first.rows.count:
                return
            if first.total is None:
                _log_unverified(days, "the API sends no total")
                return
            if first.rows.count >= first.total:
                return
            last = self._row_of(days, first.total - 1, is_received=self._is_received_at_start)
            if last is None or (last.rows.count == 1 and last.total == first.total):
                return
        raise RatingsChangedError(f"the ratings of {days} keep changing, so {self.window} cannot be verified")

    def verify_end(self) -> None:
        """Check the first row after the last one received."""
        for days in self._days_after():
            self._row_of(days, 0, is_received=self._is_received_at_end)

    def _days_before(self) -> Window | None:
        """Return the days from the day before the window to the first row; without rows, to the window's middle."""
        requested = self.source.window
        before = requested.start and shifted(requested.start, -1)
        is_empty = not self.batch.bookmark.count
        until = self._middle() if is_empty else (self._day_of(self.batch.rows.first) or requested.start)
        is_before_calendar = requested.start is not None and before is None
        if is_before_calendar or (before is None and (is_empty or until is None)):
            return None
        return _AnyTimestamps(before, until)

    def _days_after(self) -> list[Window]:
        """Return the days from the last row to the day after the window; without rows, from the window's middle."""
        requested = self.source.window
        beyond = requested.end and shifted(requested.end, 1)
        if not self.batch.bookmark.count:
            middle = self._middle()
            if middle is None or requested.end is None:
                return [] if requested.end is None else [_AnyTimestamps(None, beyond)]
            # Once more without the first day of that half, for a server that returns only the first day.
            begins = [middle - _DAY, middle] if middle < requested.end else [middle - _DAY]
            return [_AnyTimestamps(begin, beyond) for begin in begins]
        day = self._day_of(self.batch.bookmark.last)
        after = requested.end if day is None else shifted(day, 1)
        return [] if after is None else [_AnyTimestamps(min(after, requested.end or after), beyond)]

    def _middle(self) -> date | None:
        requested = self.source.window
        return (
            requested.start and requested.end and requested.end - (requested.end - requested.start) // (2 * _DAY) * _DAY
        )

    def _row_of(self, days: Window, offset: int, is_received: Callable[[int], bool]) -> Page | None:
        """Return the row at an offset as `_first_page` does, and check whether it should have been received.

        Args:
            days: The days to which the offset refers.
            offset: The number of the row, from 0.
            is_received: Whether a row of the window with this timestamp was received.

        Raises:
            DataError: The row belongs to the window, but was not received.
            RatingsChangedError: The row appeared meanwhile.
        """
        page = _first_page(replace(self.source, window=days, quarantine=True), offset)
        timestamp = None if page is None else self._timestamp(page.rows.first)
        if page is None or timestamp is None or not self._is_in_window(timestamp):
            return page
        # On a day outside of the requested days, even a received row shows that the server's days differ.
        if is_received(timestamp) and not self._are_adjacent(days):
            return page
        found = f"timestamp {timestamp} lies in the window {self.window}, but the server has it on {days}"
        if self._has_changed():
            raise RatingsChangedError(f"the data changed while it was read: {found}", page.exchange)
        raise DataError(
            f"{found}, and not in its response for the window. Its days do not seem to be the requested days: set "
            "time_zone to the time zone of its days, such as Europe/Berlin. Or it does not return all days from "
            "start_date up to, but not including, end_date",
            page.exchange,
        )

    def _is_in_window(self, timestamp: int) -> bool:
        start, end = self.window.timestamps()
        return (start is None or start <= timestamp) and (end is None or timestamp < end)

    def _are_adjacent(self, days: Window) -> bool:
        requested = self.source.window
        are_before = days.end is not None and days.end == requested.start
        return are_before or (days.start is not None and days.start == requested.end)

    def _is_received_at_start(self, timestamp: int) -> bool:
        first = self._timestamp(self.batch.rows.first)
        return first is not None and first <= timestamp

    def _is_received_at_end(self, timestamp: int) -> bool:
        last = self._timestamp(self.batch.bookmark.last)
        return last is not None and timestamp <= last

    def _has_changed(self) -> bool:
        """Return whether the rows at the ends of the window have changed."""
        at = self.batch.bookmark
        source = replace(self.source, quarantine=True)
        if at.count == self.batch.rows.count:
            first = _first_page(source, 0)
            if first is not None and first.rows.first != self.batch.rows.first:
                return True
        if not self.batch.is_last:
            return False
        after = _first_page(source, at.count)
        return after is not None and after.rows.count > 0

    def _day_of(self, row: SentRow | None) -> date | None:
        timestamp = self._timestamp(row)
        return None if timestamp is None else self.source.window.day_of(timestamp)

    def _timestamp(self, row: SentRow | None) -> int | None:
        sent = dict(zip(self.source.table.column_names, row or (), strict=False))
        return sent["timestamp"] if type(sent.get("timestamp")) is int else None


def _first_page(source: Source, offset: int) -> Page | None:
    """Return the row at an offset, in the smallest page that the server accepts; None if there is none."""
    for limit in (1, source.page_sizes.first):
        try:
            page = source.page(offset, limit)
        except FatalError as error:
            status = error.exchange.status if error.exchange else None
            if status in _NO_SUCH_ROW:
                return None
            if status not in _LIMIT_REFUSED:
                raise
            # Not the error itself: a frame that it refers to would hold it, and keep the threads of all callers alive.
            refusal = error.args[0]
        else:
            if not page.rows.count and page.total is not None and page.total > offset:
                message = f"the API counts {page.total} ratings of {source.window} but shows none at row {offset}"
                raise RatingsChangedError(message, page.exchange)
            if any(bad.column == "timestamp" or not bad.column for bad in page.rows.bad):
                _log_unverified(source.window, f"a row there is bad: {page.rows.bad[0]}")
            return page
    _log_unverified(source.window, f"the API refuses to show that day: {refusal}")
    return None


def _log_unverified(edge: Window, reason: str) -> None:
    log.warning("Cannot verify that the API's days are UTC days at the edge %s: %s", edge, reason)
