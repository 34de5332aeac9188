"""JSON envelopes and NDJSON, parsed strictly (RFC 8259)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.errors import BadResponseError, DataError
from airflow_movielens.client.parsing.fast_json import read_uniform
from airflow_movielens.client.parsing.row_checker import readable_as
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.parsing.row_checker import RowChecker
    from airflow_movielens.client.rows import Rows
    from airflow_movielens.client.settings import Tuning
    from airflow_movielens.ratings.schema import Table


TOO_MANY = 10**18
"""No API has so many rows; Airflow cannot store numbers of more than 64 bits."""


def parse(text: bytes) -> Any:
    """Parse JSON; a byte order mark before it is skipped, as RFC 8259 allows.

    Raises:
        ValueError: The text is not JSON; NaN and Infinity, which Python accepts, are not JSON.
        RecursionError: The text is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def read_envelope(
    body: bytes, exchange: Exchange, table: Table, checker: RowChecker, tuning: Tuning
) -> tuple[Rows, int | None]:
    """Read the rows and the total of an envelope with its keys in any order.

    Raises:
        BadResponseError: The body is not an envelope.
        BadRowsError: A row breaks the contract.
        DataError: The total is not a count.
    """
    if (uniform := _read_uniform(body, table, tuning)) is not None:
        envelope, columns = uniform
        # Bad rows are reported as they were sent, so they are parsed in full.
        if (rows := checker.check_if_good(columns)) is not None:
            return rows, _total(envelope, exchange)
    with readable_as("JSON", exchange):
        envelope = parse(body)
        if not isinstance(envelope, dict) or not isinstance(envelope.get("result"), list):
            raise BadResponseError('the API\'s response has no list "result"', exchange)
        total = _total(envelope, exchange)
        return checker.check_objects(envelope["result"]), total


def read_envelope_total(body: bytes, exchange: Exchange) -> int | None:
    """Read only the total; return None if the envelope has none.

    Raises:
        BadResponseError: The body is not an envelope.
        DataError: The total is not a count.
    """
    with readable_as("JSON", exchange):
        envelope = parse(body)
    if not isinstance(envelope, dict):
        raise BadResponseError("the API's response is not a JSON object", exchange)
    return _total(envelope, exchange)


def _read_uniform(body: bytes, table: Table, tuning: Tuning) -> tuple[dict[str, Any], pl.DataFrame] | None:
    """Read the envelope without its rows, and the rows; return None if the text is unusual in any way."""
    start, end = body.find(b"["), body.rfind(b"]")
    columns = (
        read_uniform(body, table, b",", min_bytes=tuning.min_fast_json_bytes, start=start + 1, end=end)
        if 0 <= start < end
        else None
    )
    if columns is None:
        return None
    try:
        envelope = parse(body[:start] + b"[]" + body[end + 1 :])
    except (ValueError, RecursionError):
        return None
    # These are the only brackets left, so an empty result is where the rows were.
    return (envelope, columns) if isinstance(envelope, dict) and envelope.get("result") == [] else None


def _total(envelope: dict[str, Any], exchange: Exchange) -> int | None:
    total = envelope.get("total")
    if total is None or (type(total) is int and 0 <= total < TOO_MANY):
        return total
    message = (
        f'the API\'s response has the "total" {shown(total)}, expected a whole number of at least 0, or null for none'
    )
    raise DataError(message, exchange)


class NdjsonDecoder:
    """A decoder of NDJSON that arrives in chunks cut anywhere; empty lines are skipped.

    Args:
        exchange: The request and its response, for error messages.
        table: The table of the rows.
        checker: The checker of the rows.
        tuning: How many bytes to decode at once, and the longest line.
    """

    def __init__(self, exchange: Exchange, table: Table, checker: RowChecker, tuning: Tuning) -> None:
        self._tuning = tuning
        self._exchange = exchange
        self._table = table
        self._checker = checker
        self._waiting = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Rows]:
        """Take the next chunk, and yield rows if enough complete lines have arrived.

        Raises:
            BadResponseError: A line is not JSON, or is longer than allowed.
            BadRowsError: A row breaks the contract.
        """
        self._waiting += chunk
        if len(self._waiting) < self._tuning.ndjson_bytes:
            return
        yield from self.whole_rows()
        if len(self._waiting) > (longest := self._tuning.max_line_bytes):
            raise BadResponseError(f"the API's response has a line of more than {longest} bytes", self._exchange)

    def whole_rows(self) -> Iterator[Rows]:
        """Yield the rows that have arrived completely; after a response broke off, no more can be used.

        Raises:
            BadResponseError: A line is not JSON.
            BadRowsError: A row breaks the contract.
        """
        end = self._waiting.rfind(b"\n") + 1
        lines = bytes(memoryview(self._waiting)[:end])
        del self._waiting[:end]
        yield from self._read(lines)

    def finish(self) -> Iterator[Rows]:
        """Take the end of the response, and yield the remaining rows; the last line may lack its line feed.

        Raises:
            BadResponseError: A line is not JSON, or the last line is incomplete.
            BadRowsError: A row breaks the contract.
        """
        lines, self._waiting = bytes(self._waiting), bytearray()
        self._check_last_line(lines[lines.rfind(b"\n") + 1 :])
        yield from self._read(lines)

    def _check_last_line(self, line: bytes) -> None:
        try:
            if line.strip():
                parse(line)
        except (ValueError, RecursionError) as error:
            raise BadResponseError("the API's response broke off in the middle of a line", self._exchange) from error

    def _read(self, lines: bytes) -> Iterator[Rows]:
        columns = read_uniform(
            lines.removesuffix(b"\n"), self._table, b"\n", min_bytes=self._tuning.min_fast_json_bytes
        )
        if columns is not None and (rows := self._checker.check_if_good(columns)) is not None:
            yield rows
            return
        with readable_as("NDJSON", self._exchange):
            objects = [parse(line) for line in lines.split(b"\n") if line.strip()]
            if objects:
                yield self._checker.check_objects(objects)
