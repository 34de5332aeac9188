"""Pages: formats chosen by the media type, and rows, totals and links (RFC 8288, RFC 9652) read from a response."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from airflow_movielens.client.errors import BadResponseError, DataError, FatalError
from airflow_movielens.client.http.origins import ForeignOriginError, join_on_origin
from airflow_movielens.client.parsing.arrow import ArrowDecoder
from airflow_movielens.client.parsing.json_text import TOO_MANY, NdjsonDecoder, read_envelope, read_envelope_total
from airflow_movielens.client.parsing.row_checker import RowChecker, join
from airflow_movielens.client.rows import Page, Rows
from airflow_movielens.client.settings import DEFAULT_TUNING
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.http.responses import Response
    from airflow_movielens.client.settings import DataFormat, Tuning
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
"""The header ``Accept`` for each data format."""

_NDJSON_NAMES = {NDJSON, "application/ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines"}
# Servers that send no media type, or a generic one, may send JSON.
_JSON_NAMES = {JSON, "", "text/json", "text/plain", "application/octet-stream"}

_SHOWN_BYTES = 200
_MAX_DIGITS = len(str(TOO_MANY)) - 1

_SNAPSHOT = re.compile(r"[ -~]{1,200}")
_QUOTED_STRING = r'"((?:[^"\\]|\\.)*)"'
_LINK = re.compile(rf"[\s,]*(?:<([^>]*)>|{_QUOTED_STRING})")
_PARAMETER = re.compile(rf"\s*;\s*([^\s=;,\"]+)(?:\s*=\s*(?:{_QUOTED_STRING}|([^\s;,\"]*)))?")
_SECTION = "{&offset,limit}"


class StreamDecoder(Protocol):
    """A decoder of a response that is read while it arrives."""

    def feed(self, chunk: bytes) -> Iterator[Rows]:
        """Take the next chunk, cut anywhere, and yield rows if enough have arrived."""

    def whole_rows(self) -> Iterator[Rows]:
        """Yield the rows that have arrived completely; after a response broke off, no more can be used."""

    def finish(self) -> Iterator[Rows]:
        """Take the end of the response, and yield the remaining rows."""


def stream_decoder(
    media_type: str,
    exchange: Exchange,
    table: Table,
    window: Window,
    *,
    quarantine: bool = False,
    tuning: Tuning = DEFAULT_TUNING,
) -> StreamDecoder | None:
    """Return the decoder for a response that is read while it arrives; its iterators must be consumed to the end.

    Args:
        media_type: The response's media type, in lower case, without parameters.
        exchange: The request and its response, for error messages.
        table: The table of the rows.
        window: The window that must contain the timestamps, if the rows have any.
        quarantine: Whether bad rows are quarantined (`Rows.bad`) instead of raised.
        tuning: How much to decode at once.

    Returns:
        The decoder; None for JSON, which must be read whole, and for unknown formats.
    """
    return _decoder(media_type, exchange, table, RowChecker(table, window, exchange, quarantine=quarantine), tuning)


def _decoder(
    media_type: str, exchange: Exchange, table: Table, checker: RowChecker, tuning: Tuning
) -> StreamDecoder | None:
    if media_type == ARROW:
        return ArrowDecoder(exchange, table, checker, tuning)
    return NdjsonDecoder(exchange, table, checker, tuning) if media_type in _NDJSON_NAMES else None


def can_be_streamed(media_type: str) -> bool:
    """Return whether `stream_decoder` has a decoder for this media type."""
    return media_type == ARROW or media_type in _NDJSON_NAMES


def accept_of(media_type: str) -> str:
    """Return the header ``Accept`` that requests more rows in the format of this media type."""
    return media_type if can_be_streamed(media_type) else JSON


def is_json(media_type: str) -> bool:
    """Return whether a response of this media type may be a JSON envelope."""
    return media_type in _JSON_NAMES or media_type.endswith("+json")


def read_page(
    response: Response,
    table: Table,
    window: Window,
    *,
    quarantine: bool = False,
    tuning: Tuning = DEFAULT_TUNING,
) -> Page:
    """Read a page of a table in the format of its media type.

    Args:
        response: The response.
        table: The table of the rows.
        window: The window that must contain the timestamps, if the rows have any.
        quarantine: Whether bad rows are quarantined (`Rows.bad`) instead of raised.
        tuning: How much of a page of NDJSON or Arrow to decode at once.

    Raises:
        BadResponseError: The response is not a page, or has two different totals.
        BadRowsError: A row breaks the contract.
        DataError: The page is of another window, or its total is not a count.
        FatalError: The page links to another origin.
    """
    if may_be_cut(response):
        message = (
            "the API's response is empty and ends with the connection, so it may be truncated: the API must send "
            "Content-Length, X-Total-Count, or JSON"
        )
        raise BadResponseError(message, response.exchange)
    checker = RowChecker(table, window, response.exchange, quarantine=quarantine)
    rows, total = _read_rows(response, table, checker, tuning)
    headers, exchange = response.headers, response.exchange
    return Page(
        rows,
        _agreed(total, headers, exchange),
        read_snapshot(headers, exchange),
        find_link(headers.get("Link", ""), "next", response.url, exchange),
        find_section_template(headers.get("Link-Template", ""), response.url, exchange),
        response.media_type,
        exchange,
    )


def read_snapshot(headers: Mapping[str, str], exchange: Exchange) -> str | None:
    """Read the name of the server's state; return None if the server does not name it.

    Raises:
        BadResponseError: The name is empty, long, or has other characters than printable ASCII: it is copied into
            manifests, XComs and logs.
    """
    name = headers.get("Snapshot")
    if name is not None and not _SNAPSHOT.fullmatch(name):
        message = f"the API's response has the Snapshot {shown(name)}, expected 1 to 200 printable ASCII characters"
        raise BadResponseError(message, exchange)
    return name


def may_be_cut(response: Response) -> bool:
    """Return whether a response looks like an empty page, but may have been truncated before its first row.

    JSON and Arrow mark their end; NDJSON does not.
    """
    is_known = not response.is_close_delimited or "X-Total-Count" in response.headers
    return not is_known and not response.body.strip() and can_be_streamed(response.media_type)


def read_total(response: Response) -> int | None:
    """Read how many rows the whole window has; return None if the server does not say.

    Raises:
        BadResponseError: The response is not a page, or has two different totals.
        DataError: The total is not a count.
    """
    total = read_envelope_total(response.body, response.exchange) if is_json(response.media_type) else None
    total = _agreed(total, response.headers, response.exchange)
    if total is None and not (is_json(response.media_type) or can_be_streamed(response.media_type)):
        raise _unexpected(response)
    return total


def _read_rows(response: Response, table: Table, checker: RowChecker, tuning: Tuning) -> tuple[Rows, int | None]:
    if is_json(response.media_type):
        return read_envelope(response.body, response.exchange, table, checker, tuning)
    decoder = _decoder(response.media_type, response.exchange, table, checker, tuning)
    if decoder is None:
        raise _unexpected(response)
    pieces = [*decoder.feed(response.body), *decoder.finish()]
    return join(pieces or [Rows(table.empty(), 0)]), None


def _unexpected(response: Response) -> BadResponseError:
    start = " ".join(response.body[:_SHOWN_BYTES].decode(errors="replace").split())
    start += "…" if len(response.body) > _SHOWN_BYTES else ""
    advice = " (is it a login page? check host, port and credentials)" if response.media_type == "text/html" else ""
    message = f"the API's response is {response.media_type}{advice}, expected ratings data: it begins with {start!r}"
    return BadResponseError(message, response.exchange)


def _agreed(total: int | None, headers: Mapping[str, str], exchange: Exchange) -> int | None:
    text = headers.get("X-Total-Count")
    if text is None:
        return total
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        message = f"the API's response has the X-Total-Count {shown(text)}, expected a whole number of at least 0"
        raise DataError(message, exchange)
    if total not in {None, int(text)}:
        raise BadResponseError(f'the API\'s response has the "total" {total} and the X-Total-Count {text}', exchange)
    return int(text)


def find_link(header: str, relation: str, base: str, exchange: Exchange) -> str | None:
    """Find the target of a relation in a ``Link`` header.

    Args:
        header: The header's value, in which commas separate links and the values of repeated headers.
        relation: A relation, such as ``next``.
        base: The URL of the response, to which targets are relative.
        exchange: The request and its response, for error messages.

    Returns:
        The absolute URL of the target; None if there is no such link. If the path of ``base`` ends with the target's
        path, a proxy has removed the prefix, so it is added again.

    Raises:
        FatalError: The target has another origin (see `join_on_origin`), which must not receive the credentials.
    """
    targets = (target for target, relations in _links(header) if relation in relations)
    target = next(targets, None)
    return None if target is None else _resolve(target, base, exchange)


def find_section_template(header: str, base: str, exchange: Exchange) -> str | None:
    """Find the template of relation ``section`` in a ``Link-Template`` header.

    Returns:
        The absolute URL to which ``&offset=…&limit=…`` can be appended; None if no template ends in
        ``{&offset,limit}``.

    Raises:
        FatalError: The target has another origin.
    """
    for template, relations in _links(header):
        url = template.removesuffix(_SECTION)
        if "section" in relations and url != template and "?" in url and not re.search(r"[{}#]", url):
            return _resolve(url, base, exchange)
    return None


def _links(header: str) -> Iterator[tuple[str, set[str]]]:
    """Yield targets and their relations, up to the first unreadable one; links with another context are skipped."""
    place = 0
    while link := _LINK.match(header, place):
        place = link.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, place):
            place = parameter.end()
            name, quoted, bare = parameter.groups()
            # Only the first parameter of a name counts (RFC 8288, section 3).
            parameters.setdefault(name.lower(), bare or "" if quoted is None else _unescaped(quoted))
        if "anchor" not in parameters:
            target, template = link.groups()
            yield _unescaped(template) if target is None else target, set(parameters.get("rel", "").lower().split())


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _with_prefix(url: str, base: str) -> str:
    """Restore the path prefix that a proxy removed from the request, so that the API does not know it."""
    parts, asked = urlsplit(url), urlsplit(base).path
    return parts._replace(path=asked).geturl() if asked.endswith(parts.path) else url


def _resolve(target: str, base: str, exchange: Exchange) -> str:
    try:
        return _with_prefix(join_on_origin(base, target.strip()), base)
    except ForeignOriginError as error:
        raise FatalError(f"the API links to {error}", exchange) from None
    except ValueError as error:
        raise FatalError(f"the API links to an address that cannot be read ({error})", exchange) from error
