"""Proof that a server's days are the days that were asked for.

Rows outside the window show a server that cuts days in another time zone; but at the edges of the data there are none,
and rows are missing all the same. Those lie in the server's day before the window, at its end, or in its day after the
window, at its beginning: rows are in order, and no time zone is a day away from UTC. So two rows prove the window.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import DataError, FatalError, RatingsChangedError
from airflow_movielens.client.window import Window, shifted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.pagination.source import Source
    from airflow_movielens.client.rows import Batch, Page

log = logging.getLogger(__name__)

_CHANGES_TOLERATED = 3
_NOTHING_THERE = {HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
_LIMIT_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}


@dataclass(frozen=True)
class _Edge(Window):
    """A day of the server beside a window, whose rows must lie before or after a moment.

    Attributes:
        bounds: First Unix second allowed, and first beyond; None where open.
        window: The window.
    """

    bounds: tuple[int | None, int | None] = (None, None)
    window: Window = field(default_factory=Window)

    def timestamps(self) -> tuple[int | None, int | None]:
        """See `Window`."""
        return self.bounds

    def misses(self, timestamp: int) -> str:
        """See `Window`."""
        return (
            f"timestamp {timestamp} lies in the window {self.window}, but the server has it on {super().__str__()}. "
            "Its days do not seem to be the days that were asked for: set time_zone to the time zone of its days, such "
            "as Europe/Berlin"
        )


def proven(batches: Iterator[Batch], source: Source, window: Window) -> Iterator[Batch]:
    """Pass the batches of a window on; before the last one, prove that the server holds no more rows of the window.

    A server that names its snapshot is a `movielens-api` or built after it, whose days are UTC days by contract.

    Args:
        batches: Of the window.
        source: Where they come from; its own window is that of the days asked for.
        window: The UTC days wanted.

    Raises:
        DataError: Rows of the window are elsewhere.
        RatingsChangedError: The data keeps changing.
    """
    for batch in batches:
        is_by_contract = batch.bookmark.snapshot is not None and type(source.window) is Window
        if batch.is_last and not is_by_contract and window.start != window.end:
            _prove_end(source, window)
            _prove_start(source, window)
        yield batch


def _prove_end(source: Source, window: Window) -> None:
    asked = source.window.end
    if asked is None:
        return
    edge = _Edge(asked, shifted(asked, 1), (window.timestamps()[1], None), window)
    _first_page(replace(source, window=edge, quarantine=True), 0)


def _prove_start(source: Source, window: Window) -> None:
    asked = source.window.start
    before = asked and shifted(asked, -1)
    if before is None:
        return
    edge = _Edge(before, asked, (None, window.timestamps()[0]), window)
    beside = replace(source, window=edge, quarantine=True)
    for _ in range(_CHANGES_TOLERATED):
        first = _first_page(beside, 0)
        if first is None or not first.rows.count:
            return
        if first.total is None:
            _log_unproven(edge, "the API names no total")
            return
        if first.rows.count >= first.total:
            return
        last = _first_page(beside, first.total - 1)
        if last is None or (last.rows.count == 1 and last.total == first.total):
            return
    raise RatingsChangedError(f"the ratings of {before} keep changing, so that {window} cannot be proven")


def _first_page(source: Source, offset: int) -> Page | None:
    """The row at an offset, in a page as small as the server takes it; None if it has none or does not say."""
    for limit in (1, source.page_size):
        try:
            page = source.page(offset, limit)
        except FatalError as error:
            status = error.exchange.status if error.exchange else None
            if status in _NOTHING_THERE:
                return None
            if status not in _LIMIT_REFUSED:
                raise
            refusal = error
        else:
            if not page.rows.count and page.total is not None and page.total > offset:
                message = f"the API counts {page.total} ratings of {source.window} but shows none at row {offset}"
                raise RatingsChangedError(message, page.exchange)
            if any(bad.column == "timestamp" or not bad.column for bad in page.rows.bad):
                _log_unproven(source.window, f"a row there is bad: {page.rows.bad[0]}")
            return page
    _log_unproven(source.window, f"the API refuses to show that day: {refusal.args[0]}")
    return None


def _log_unproven(edge: Window, reason: str) -> None:
    log.warning("It is not proven that the API's days are UTC days, at the edge %s: %s", edge, reason)


def some_good(batches: Iterator[Batch], window: Window) -> Iterator[Batch]:
    """Pass the batches of a window on, unless two or more rows came and none of them keeps the contract.

    Raises:
        DataError: So it is: what was set aside are not single bad rows, but all there is.
    """
    found = ""
    for batch in batches:
        found = found or (f", such as {batch.rows.bad[0]}" if batch.rows.bad else "")
        at = batch.bookmark
        if batch.is_last and at.count > 1 and at.last_good is None:
            raise DataError(f"none of the {at.count} rows of {window} keeps the contract{found}", None, batch.rows.bad)
        yield batch
