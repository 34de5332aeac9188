"""The JSON envelope of one page: ``{"result": […], "offset", "limit", "total"}``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.errors import BadAnswerError
from airflow_movielens.ratings.validation import BadRowError, to_frame

if TYPE_CHECKING:
    import polars as pl

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.window import Window
    from airflow_movielens.ratings.schema import Table


@dataclass(frozen=True)
class Page:
    """One page of a table.

    Attributes:
        rows: The rows, in canonical order, checked against the contract.
        total: How many rows the server says the whole window has; None if it does not say.
        exchange: Where the page came from, for error messages.
    """

    rows: pl.DataFrame
    total: int | None
    exchange: Exchange


def read_page(body: Any, exchange: Exchange, table: Table, window: Window) -> Page:
    """Read a page out of a parsed answer.

    Raises:
        BadAnswerError: It is no envelope, or a row breaks the contract or lies outside the window.
    """
    if not isinstance(body, dict) or not isinstance(body.get("result"), list):
        raise BadAnswerError('the API\'s answer has no list "result"', exchange)
    total = read_total(body, exchange)
    try:
        rows = to_frame(body["result"], table)
    except BadRowError as error:
        raise BadAnswerError(f"bad {table.name} from the API: {error}", exchange) from error
    _check_window(rows, window, exchange)
    return Page(rows, total, exchange)


def read_total(body: dict[str, Any], exchange: Exchange) -> int | None:
    """The envelope's ``total``; None if there is none.

    Raises:
        BadAnswerError: It is not a whole number of at least 0.
    """
    total = body.get("total")
    if total is None or (type(total) is int and total >= 0):
        return total
    raise BadAnswerError(f'the API\'s "total" is {total!r}, expected a whole number', exchange)


def _check_window(rows: pl.DataFrame, window: Window, exchange: Exchange) -> None:
    if "timestamp" not in rows.columns or rows.is_empty():
        return
    start, end = window.timestamps()
    first, last = rows["timestamp"][0], rows["timestamp"][-1]
    if (start is not None and first < start) or (end is not None and last >= end):
        outside = first if start is not None and first < start else last
        raise BadAnswerError(
            f"bad ratings from the API: timestamp {outside} lies outside the window {window}", exchange
        )
