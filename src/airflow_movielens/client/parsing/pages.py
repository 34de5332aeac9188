"""The formats of answers, told by their media types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_movielens.client.errors import BadResponseError, DataError
from airflow_movielens.client.parsing.arrow import ArrowDecoder
from airflow_movielens.client.parsing.json_text import NdjsonDecoder, read_envelope, read_envelope_total
from airflow_movielens.client.parsing.link_headers import find_link, find_section_template
from airflow_movielens.client.parsing.row_checker import RowChecker, join
from airflow_movielens.client.rows import Page, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.http.responses import Response
    from airflow_movielens.client.settings import DataFormat
    from airflow_movielens.client.window import Window
    from airflow_movielens.ratings.schema import Table

ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"
JSON = "application/json"
ACCEPT: Mapping[DataFormat, str] = {
    "auto": f"{ARROW}, {NDJSON};q=0.9, {JSON};q=0.8",
    "arrow": ARROW,
    "ndjson": NDJSON,
    "json": JSON,
}
"""What to ask for, as the header ``Accept``."""

_NDJSON_NAMES = {NDJSON, "application/ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines"}
# Servers that say nothing, or nothing in particular, are believed if the content is JSON.
_JSON_NAMES = {JSON, "", "text/json", "text/plain", "application/octet-stream"}


class StreamDecoder(Protocol):
    """Reads an answer while it arrives."""

    def feed(self, chunk: bytes) -> Iterator[Rows]:
        """Take the next piece, cut anywhere; give the rows that are worth giving by now."""

    def whole_rows(self) -> Iterator[Rows]:
        """Give the rows that are there as a whole: after an answer broke off, all of it that can be used."""

    def finish(self) -> Iterator[Rows]:
        """Take the end of the answer; give the rows not given yet."""


def stream_decoder(
    media_type: str, exchange: Exchange, table: Table, window: Window, *, quarantine: bool = False
) -> StreamDecoder | None:
    """Choose what reads an answer while it arrives; what its methods give must be consumed to the end.

    Args:
        media_type: The answer's, in lower case, without parameters.
        exchange: Where it comes from, for error messages.
        table: What its rows are.
        window: Where their timestamps must lie, if they have any.
        quarantine: Whether bad rows are put aside (`Rows.bad`) instead of raised.

    Returns:
        The decoder; None for JSON, of which one must have all, and for formats that are not known.
    """
    checker = RowChecker(table, window, exchange, quarantine=quarantine)
    if media_type == ARROW:
        return ArrowDecoder(exchange, table, checker)
    return NdjsonDecoder(exchange, table, checker) if media_type in _NDJSON_NAMES else None


def can_be_streamed(media_type: str) -> bool:
    """Whether `stream_decoder` knows how to read an answer of this media type while it arrives."""
    return media_type == ARROW or media_type in _NDJSON_NAMES


def accept_of(media_type: str) -> str:
    """What to ask for, as the header ``Accept``, to get more of what came as this media type."""
    return media_type if can_be_streamed(media_type) else JSON


def is_json(media_type: str) -> bool:
    """Whether an answer of this media type may be a JSON envelope."""
    return media_type in _JSON_NAMES or media_type.endswith("+json")


_QUOTED = 200
_MOST_DIGITS = 18


def read_page(answer: Response, table: Table, window: Window, *, quarantine: bool = False) -> Page:
    """Read a page of a table; its media type tells the format.

    Args:
        answer: The answer.
        table: What its rows are.
        window: Where their timestamps must lie, if they have any.
        quarantine: Whether bad rows are put aside (`Rows.bad`) instead of raised.

    Raises:
        BadResponseError: It is no page, or names two totals.
        BadRowsError: A row breaks the contract.
        DataError: It is of another window, or its total is no count.
        FatalError: It links to another host.
    """
    if may_be_cut(answer):
        message = (
            "the API's answer is empty and ends with the connection, so that it may have been cut: the API must send "
            "Content-Length, X-Total-Count, or JSON"
        )
        raise BadResponseError(message, answer.exchange)
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


def may_be_cut(answer: Response) -> bool:
    """Whether an answer seems to be an empty page, but may as well have been cut before its first row.

    JSON and Arrow have an end of their own; NDJSON has none.
    """
    is_told = not answer.is_close_delimited or "X-Total-Count" in answer.headers
    return not is_told and not answer.body.strip() and can_be_streamed(answer.media_type)


def read_total(answer: Response) -> int | None:
    """Read how many rows the whole window has; None if the server does not say.

    Raises:
        BadResponseError: The answer is no page, or names two totals.
        DataError: Its total is no count.
    """
    total = read_envelope_total(answer.body, answer.exchange) if is_json(answer.media_type) else None
    total = _agreed(total, answer.headers, answer.exchange)
    if total is None and not (is_json(answer.media_type) or can_be_streamed(answer.media_type)):
        raise _unexpected(answer)
    return total


def _read_rows(answer: Response, table: Table, window: Window, *, quarantine: bool) -> tuple[Rows, int | None]:
    if is_json(answer.media_type):
        checker = RowChecker(table, window, answer.exchange, quarantine=quarantine)
        return read_envelope(answer.body, answer.exchange, table, checker)
    decoder = stream_decoder(answer.media_type, answer.exchange, table, window, quarantine=quarantine)
    if decoder is None:
        raise _unexpected(answer)
    pieces = [*decoder.feed(answer.body), *decoder.finish()]
    return join(pieces or [Rows(table.empty(), 0)]), None


def _unexpected(answer: Response) -> BadResponseError:
    start = " ".join(answer.body[:_QUOTED].decode(errors="replace").split())
    advice = " (is it a login page? check host, port and credentials)" if answer.media_type == "text/html" else ""
    message = f"the API's answer is {answer.media_type}{advice}, expected ratings data: it begins with {start!r}"
    return BadResponseError(message, answer.exchange)


def _agreed(total: int | None, headers: Mapping[str, str], exchange: Exchange) -> int | None:
    text = headers.get("X-Total-Count")
    if text is None:
        return total
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        message = f"the API's answer has the X-Total-Count {text[:_QUOTED]!r}, expected a whole number of at least 0"
        raise DataError(message, exchange)
    if total not in {None, int(text)}:
        raise BadResponseError(f'the API\'s answer has the "total" {total} and the X-Total-Count {text}', exchange)
    return int(text)
