"""What shows that pages belong to one state of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.client.errors import RatingsChangedError

if TYPE_CHECKING:
    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.http.responses import StreamedResponse
    from airflow_movielens.client.rows import Bookmark, Page, RowKey, Rows
    from airflow_movielens.ratings.schema import Table


def check_same_state(page: Page, before: Bookmark) -> None:
    """Compare a page's total and snapshot with those before.

    Raises:
        RatingsChangedError: They differ.
    """
    if page.total != before.total:
        message = f"the data changed while it was read: the total went from {before.total} to {page.total}"
        raise RatingsChangedError(message, page.exchange)
    if page.snapshot != before.snapshot:
        message = f"the data changed while it was read: the snapshot went from {before.snapshot} to {page.snapshot}"
        raise RatingsChangedError(message, page.exchange)


def check_same_stream(answer: StreamedResponse, before: Bookmark) -> None:
    """Compare what a streamed answer tells of its total and snapshot with those before.

    Raises:
        RatingsChangedError: They differ.
    """
    total, snapshot = answer.headers.get("X-Total-Count"), answer.headers.get("Snapshot")
    if snapshot != before.snapshot or total not in {None, str(before.total)}:
        message = f"the stream is of snapshot {snapshot} with {total} rows, not {before.snapshot} with {before.total}"
        raise RatingsChangedError(message, answer.exchange)


def check_repeated(page: Page, last: RowKey | None) -> None:
    """Check that a page begins with the last row of the page before.

    Raises:
        RatingsChangedError: It does not.
    """
    if page.rows.first != last:
        message = f"the data changed while it was read: the page should begin with {last}"
        raise RatingsChangedError(message, page.exchange)


def check_after(rows: Rows, last: RowKey | None, table: Table, exchange: Exchange | None) -> None:
    """Check that the good rows come behind ``last``, a good one, in the order of the table.

    Raises:
        RatingsChangedError: They do not.
    """
    if last is None or not len(rows.good):
        return
    first = rows.good.row(0)
    if _key(first, table) <= _key(last, table):
        message = f"the pages overlap: a page begins with {first}, the page before ends with {last}"
        raise RatingsChangedError(message, exchange)


def check_complete(count: int, total: int | None, table: Table, exchange: Exchange | None) -> None:
    """Check that as many rows came as were announced.

    Raises:
        RatingsChangedError: More or fewer came.
    """
    if total is not None and count != total:
        message = f"the API announced {total} {table.name} but {count} can be read: they change, or its total is wrong"
        raise RatingsChangedError(message, exchange)


def check_nothing_follows(page: Page, count: int, table: Table) -> None:
    """Check that a page with the last of the announced rows does not lead on to more.

    Raises:
        RatingsChangedError: It does, so the total is wrong.
    """
    if page.total is not None and count >= page.total and page.next_url is not None:
        message = f"the API announced {page.total} {table.name} but links to more: they change, or its total is wrong"
        raise RatingsChangedError(message, page.exchange)


def _key(row: RowKey, table: Table) -> RowKey:
    values = dict(zip(table.column_names, row, strict=True))
    return tuple(values[name] for name in table.key)
