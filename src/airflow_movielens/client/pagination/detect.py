"""Read a window from its first page to its last row: the first response selects the kind of pagination."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from airflow_movielens.client.errors import DataError, FatalError, RatingsChangedError
from airflow_movielens.client.pagination.consistency import check_complete, check_nothing_follows
from airflow_movielens.client.pagination.cursors import CursorPages
from airflow_movielens.client.pagination.offsets import OffsetPages
from airflow_movielens.client.pagination.sections import SectionPages, SectionStream
from airflow_movielens.client.parsing import accept_of, can_be_streamed
from airflow_movielens.client.rows import Batch, Bookmark, Rows, without_host

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from airflow_movielens.client.errors import MovielensError
    from airflow_movielens.client.pagination.source import Source
    from airflow_movielens.client.rows import Page

_REFUSED_STATUS = {401, 403}


class Pagination(Protocol):
    """A kind of pagination."""

    def batches(self, at: Bookmark) -> Iterator[Batch]:
        """Read the rows after ``at``; the last batch is marked as the last."""


def read_window(source: Source) -> Generator[Batch, None, None]:
    """Read a window from its start; at the end, or when closed, cut off the requests in flight.

    Raises:
        RatingsChangedError: The data changed meanwhile.
        MovielensError: See its subclasses.
    """
    with closing(source), source.api.transport.hiding_secrets():
        requested = source.page_sizes.first
        first = source.page(0, requested)
        count = first.rows.count
        if not count or (first.total is not None and count > first.total):
            check_complete(count, first.total, source.table, first.exchange)
        check_nothing_follows(first, count, source.table)
        at = _bookmark_after(first)
        source.page_sizes.learn(first, requested, at)
        is_last = _is_whole(first)
        yield Batch(first.rows, at, is_last=is_last)
        if not is_last:
            yield from _rest(source, at)


def resume_window(source: Source, at: Bookmark) -> Generator[Batch, None, None]:
    """Read the rest of a window after a bookmark, possibly one of another process; otherwise as `read_window`.

    Raises:
        RatingsChangedError: The data changed since, or the server can no longer resume.
        MovielensError: See its subclasses.
    """
    with closing(source), source.api.transport.hiding_secrets():
        batches = _rest(source, at)
        try:
            yield next(batches)
        except DataError as error:
            # Another server may ignore the cursor, and send other rows.
            raise _cannot_resume(error) from error
        yield from batches


def _rest(source: Source, at: Bookmark) -> Iterator[Batch]:
    if at.kind != "offset" and (at.url is None or at.count == at.total):
        yield Batch(Rows(source.table.empty(), 0), at, is_last=True)
        return
    try:
        yield from _pagination(source, at).batches(at)
    except FatalError as error:
        status = error.exchange.status if error.exchange else None
        if at.kind == "offset" or status is None or status in _REFUSED_STATUS:
            raise
        # The server no longer knows its own link, but it may accept a new request for the window.
        raise _cannot_resume(error) from error


def _cannot_resume(error: MovielensError) -> RatingsChangedError:
    return RatingsChangedError(f"reading cannot be resumed where it stopped: {error.args[0]}", error.exchange)


def _pagination(source: Source, at: Bookmark) -> Pagination:
    if at.kind == "offset":
        return OffsetPages(source)
    if at.kind == "cursor":
        return CursorPages(source)
    return SectionStream(source) if can_be_streamed(at.media_type) else SectionPages(source)


def _bookmark_after(first: Page) -> Bookmark:
    begin = Bookmark(
        "offset", 0, first.limit, first.total, snapshot=first.snapshot, media_type=accept_of(first.media_type)
    )
    at = begin.after(first.rows)
    if first.section_url is not None and first.total is not None:
        return replace(at, kind="section", url=without_host(first.section_url))
    if first.next_url is not None:
        return replace(at, kind="cursor", url=without_host(first.next_url))
    return at


def _is_whole(first: Page) -> bool:
    """Return whether the first response is the whole window.

    A server that names the snapshot of its responses is believed; the total of others may be that of the page only.
    """
    if not first.rows.count:
        return True
    names_its_state = first.snapshot is not None or first.section_url is not None
    return names_its_state and first.next_url is None and first.rows.count == first.total
