"""Paging by offset and limit, so that a change of the data between two pages is seen.

Each page begins with the last row of the page before. If rows were inserted or deleted before that point, the
repeated row differs; if anywhere else, ``total`` does. A server may clamp ``limit``, so a short page is no end: the
end is reached when a page brings nothing but the repeated row, and ``total`` must agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.client.errors import RatingsChangedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from airflow_movielens.client.rows import Page
    from airflow_movielens.ratings.schema import Table


def read_by_offset(fetch: Callable[[int, int], Page], table: Table, page_size: int) -> Iterator[pl.DataFrame]:
    """Read all rows of a window, page after page.

    Args:
        fetch: Gets the page at (offset, limit).
        table: What the rows are.
        page_size: Rows to ask for in one request, at least 2.

    Yields:
        Non-empty dataframes that together hold every row once, in canonical order.

    Raises:
        RatingsChangedError: The pages do not belong to one state of the data.
    """
    page = fetch(0, page_size)
    total, rows, count = page.total, page.rows.good, 0
    while not rows.is_empty():
        yield rows
        count += len(rows)
        last = rows.tail(1)
        page = fetch(count - 1, page_size)
        _check_unchanged(page, total, last)
        rows = page.rows.good.slice(1)
    _check_complete(count, total, table, page if total is not None else fetch(count, page_size))


def _check_complete(count: int, total: int | None, table: Table, page: Page) -> None:
    if total is not None and count != total:
        message = f"the API announced {total} {table.name} but {count} can be read: they change, or its total is wrong"
        raise RatingsChangedError(message, page.exchange)
    if total is None and not page.rows.good.is_empty():
        message = f"the API has more {table.name} after what looked like the end, at row {count}"
        raise RatingsChangedError(message, page.exchange)


def _check_unchanged(page: Page, total: int | None, last: pl.DataFrame) -> None:
    if page.total != total:
        message = f"the data changed while it was read: the total went from {total} to {page.total}"
        raise RatingsChangedError(message, page.exchange)
    if not page.rows.good.head(1).equals(last):
        message = f"the data changed while it was read: the page should begin with {last.row(0)}"
        raise RatingsChangedError(message, page.exchange)
