"""Checks that pages belong to one state of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.client.errors import RatingsChangedError
from airflow_movielens.client.parsing import read_snapshot

if TYPE_CHECKING:
    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.http.transport import OpenResponse
    from airflow_movielens.client.rows import Bookmark, Page, Rows, SentRow
    from airflow_movielens.ratings.schema import Table


def check_same_state(page: Page, before: Bookmark) -> None:
    """Compare a page's total and snapshot with those before.

    Raises:
        RatingsChangedError: The values differ.
    """
    if page.total != before.total:
        message = f"the data changed while it was read: the total went from {before.total} to {page.total}"
        raise RatingsChangedError(message, page.exchange)
    if page.snapshot != before.snapshot:
        message = f"the data changed while it was read: the snapshot went from {before.snapshot} to {page.snapshot}"
        raise RatingsChangedError(message, page.exchange)


def check_same_stream(response: OpenResponse, before: Bookmark) -> None:
    """Compare the total and snapshot of a streamed response with those before.

    Raises:
        RatingsChangedError: The values differ.
        BadResponseError: The snapshot is no name.
    """
    total, snapshot = response.headers.get("X-Total-Count"), read_snapshot(response.headers, response.exchange)
    if snapshot != before.snapshot or total not in {None, str(before.total)}:
        message = f"the stream is of snapshot {snapshot} with {total} rows, not {before.snapshot} with {before.total}"
        raise RatingsChangedError(message, response.exchange)


def check_repeated(page: Page, last: SentRow | None) -> None:
    """Check that a page begins with the last row of the page before.

    Raises:
        RatingsChangedError: The first row is another one.
    """
    if page.rows.first != last:
        message = f"the data changed while it was read: the page should begin with {last}"
        raise RatingsChangedError(message, page.exchange)


def check_after(rows: Rows, last: SentRow | None, table: Table, exchange: Exchange | None) -> None:
    """Check that the good rows come after ``last``, a good row, in the order of the table.

    Raises:
        RatingsChangedError: The rows are out of order.
    """
    if last is None or not len(rows.checked):
        return
    first = rows.checked.row(0)
    if _key(first, table) <= _key(last, table):
        message = f"the pages overlap: a page begins with {first}, the page before ends with {last}"
        raise RatingsChangedError(message, exchange)


def check_complete(count: int, total: int | None, table: Table, exchange: Exchange | None) -> None:
    """Check that the number of rows is the announced total.

    Raises:
        RatingsChangedError: There are more or fewer rows.
    """
    if total is not None and count != total:
        message = f"the API announced {total} {table.name} but {count} can be read: they change, or its total is wrong"
        raise RatingsChangedError(message, exchange)


def check_nothing_follows(page: Page, count: int, table: Table) -> None:
    """Check that a page with the last of the announced rows does not link to more.

    Raises:
        RatingsChangedError: The page links to more rows, so the total is wrong.
    """
    if page.total is not None and count >= page.total and page.next_url is not None:
        message = f"the API announced {page.total} {table.name} but links to more: they change, or its total is wrong"
        raise RatingsChangedError(message, page.exchange)


def _key(row: SentRow, table: Table) -> SentRow:
    values = dict(zip(table.column_names, row, strict=True))
    return tuple(values[name] for name in table.key)
