"""A whole answer as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.client.decoding.checking import RowChecker, join
from airflow_movielens.client.decoding.envelope import read_envelope, read_envelope_total
from airflow_movielens.client.decoding.formats import can_be_streamed, is_json, stream_decoder
from airflow_movielens.client.decoding.links import find_link, find_section_template
from airflow_movielens.client.errors import BadAnswerError, DataError
from airflow_movielens.client.rows import Page, Rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_movielens.client.answers import Answer
    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.window import Window
    from airflow_movielens.ratings.schema import Table

_QUOTED = 200
_MOST_DIGITS = 18


def read_page(answer: Answer, table: Table, window: Window, *, quarantine: bool = False) -> Page:
    """Read a page of a table; its media type tells the format.

    Args:
        answer: The answer.
        table: What its rows are.
        window: Where their timestamps must lie, if they have any.
        quarantine: Whether bad rows are put aside (`Rows.bad`) instead of raised.

    Raises:
        BadAnswerError: It is no page, or names two totals.
        BadRowsError: A row breaks the contract.
        DataError: It is of another window, or its total is no count.
        FatalError: It links to another host.
    """
    if may_be_cut(answer):
        message = (
            "the API's answer is empty and ends with the connection, so that it may have been cut: the API must send "
            "Content-Length, X-Total-Count, or JSON"
        )
        raise BadAnswerError(message, answer.exchange)
    rows, total = _read_rows(answer, table, window, quarantine=quarantine)
    headers, exchange = answer.headers, answer.exchange
    return Page(
        rows,
        _agreed(total, headers, exchange),
        headers.get("Snapshot"),
        find_link(headers.get("Link", ""), "next", answer.url, exchange),
        find_section_template(headers.get("Link-Template", ""), answer.url, exchange),
        answer.media_type,
        exchange,
    )


def may_be_cut(answer: Answer) -> bool:
    """Whether an answer seems to be an empty page, but may as well have been cut before its first row.

    JSON and Arrow have an end of their own; NDJSON has none.
    """
    is_told = not answer.is_close_delimited or "X-Total-Count" in answer.headers
    return not is_told and not answer.body.strip() and can_be_streamed(answer.media_type)


def read_total(answer: Answer) -> int | None:
    """Read how many rows the whole window has; None if the server does not say.

    Raises:
        BadAnswerError: The answer is no page, or names two totals.
        DataError: Its total is no count.
    """
    total = read_envelope_total(answer.body, answer.exchange) if is_json(answer.media_type) else None
    total = _agreed(total, answer.headers, answer.exchange)
    if total is None and not (is_json(answer.media_type) or can_be_streamed(answer.media_type)):
        raise _unexpected(answer)
    return total


def _read_rows(answer: Answer, table: Table, window: Window, *, quarantine: bool) -> tuple[Rows, int | None]:
    if is_json(answer.media_type):
        checker = RowChecker(table, window, answer.exchange, quarantine=quarantine)
        return read_envelope(answer.body, answer.exchange, table, checker)
    decoder = stream_decoder(answer.media_type, answer.exchange, table, window, quarantine=quarantine)
    if decoder is None:
        raise _unexpected(answer)
    pieces = [*decoder.feed(answer.body), *decoder.finish()]
    return join(pieces or [Rows(table.empty(), 0)]), None


def _unexpected(answer: Answer) -> BadAnswerError:
    start = " ".join(answer.body[:_QUOTED].decode(errors="replace").split())
    advice = " (is it a login page? check host, port and credentials)" if answer.media_type == "text/html" else ""
    message = f"the API's answer is {answer.media_type}{advice}, expected ratings data: it begins with {start!r}"
    return BadAnswerError(message, answer.exchange)


def _agreed(total: int | None, headers: Mapping[str, str], exchange: Exchange) -> int | None:
    text = headers.get("X-Total-Count")
    if text is None:
        return total
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        message = f"the API's answer has the X-Total-Count {text[:_QUOTED]!r}, expected a whole number of at least 0"
        raise DataError(message, exchange)
    if total not in {None, int(text)}:
        raise BadAnswerError(f'the API\'s answer has the "total" {total} and the X-Total-Count {text}', exchange)
    return int(text)
