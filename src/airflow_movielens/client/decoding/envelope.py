"""The JSON envelope of one page: ``{"result": […], "offset", "limit", "total"}``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_movielens.client.decoding.json_text import parse
from airflow_movielens.client.decoding.trouble import readable_as
from airflow_movielens.client.decoding.uniform import read_uniform
from airflow_movielens.client.errors import BadAnswerError, DataError

if TYPE_CHECKING:
    import polars as pl

    from airflow_movielens.client.decoding.checking import RowChecker
    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.rows import Rows
    from airflow_movielens.ratings.schema import Table


def read_envelope(body: bytes, exchange: Exchange, table: Table, checker: RowChecker) -> tuple[Rows, int | None]:
    """Read the rows and the total out of an envelope, its keys in any order.

    Raises:
        BadAnswerError: It is no envelope.
        BadRowsError: A row breaks the contract.
        DataError: Its total is no count.
    """
    if (uniform := _read_uniform(body, table)) is not None:
        envelope, columns = uniform
        # Bad rows are to be named as they were sent, so they are parsed in full.
        if (rows := checker.check_if_good(columns)) is not None:
            return rows, _total(envelope, exchange)
    with readable_as("JSON", exchange):
        envelope = parse(body)
        if not isinstance(envelope, dict) or not isinstance(envelope.get("result"), list):
            raise BadAnswerError('the API\'s answer has no list "result"', exchange)
        total = _total(envelope, exchange)
        return checker.check_objects(envelope["result"]), total


def read_envelope_total(body: bytes, exchange: Exchange) -> int | None:
    """Read nothing but the total; None if there is none.

    Raises:
        BadAnswerError: It is no envelope.
        DataError: Its total is no count.
    """
    with readable_as("JSON", exchange):
        envelope = parse(body)
    if not isinstance(envelope, dict):
        raise BadAnswerError("the API's answer is no JSON object", exchange)
    return _total(envelope, exchange)


def _read_uniform(body: bytes, table: Table) -> tuple[dict[str, Any], pl.DataFrame] | None:
    """The envelope without its rows, and the rows; None if anything about them is unusual."""
    start, end = body.find(b"["), body.rfind(b"]")
    columns = read_uniform(body, table, b",", start + 1, end) if 0 <= start < end else None
    if columns is None:
        return None
    try:
        envelope = parse(body[:start] + b"[]" + body[end + 1 :])
    except (ValueError, RecursionError):
        return None
    # These are the only brackets left: an empty list is where the rows were.
    return (envelope, columns) if isinstance(envelope, dict) and envelope.get("result") == [] else None


def _total(envelope: dict[str, Any], exchange: Exchange) -> int | None:
    total = envelope.get("total")
    if total is None or (type(total) is int and total >= 0):
        return total
    message = f'the API\'s answer has the "total" {total!r}, expected a whole number of at least 0, or null for none'
    raise DataError(message, exchange)
