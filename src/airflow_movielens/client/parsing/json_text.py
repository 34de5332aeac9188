"""JSON envelopes and NDJSON, parsed strictly (RFC 8259)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.errors import BadResponseError, DataError
from airflow_movielens.client.parsing import fast_json
from airflow_movielens.client.parsing.row_checker import readable_as
from airflow_movielens.ratings.messages import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    if (sent := fast_json.read_envelope(body, table)) is not None:
        columns, total = sent
        values = columns if len(columns) < tuning.min_frame_rows else columns.frame()
        if _is_count(total) and (rows := checker.check_order(values)) is not None:
            return rows, total
    return parse_envelope(body, exchange, checker)


def parse_envelope(body: bytes, exchange: Exchange, checker: RowChecker) -> tuple[Rows, int | None]:
    """Do the same as `read_envelope` with any bad rows, four times as slowly."""
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


def _total(envelope: dict[str, Any], exchange: Exchange) -> int | None:
    total: int | None = envelope.get("total")
    if _is_count(total):
        return total
    message = (
        f'the API\'s response has the "total" {shown(total)}, expected a whole number of at least 0, or null for none'
    )
    raise DataError(message, exchange)


def _is_count(total: Any) -> bool:
    return total is None or (type(total) is int and 0 <= total < TOO_MANY)


def parse_lines(lines: bytes, exchange: Exchange, checker: RowChecker) -> Rows | None:
    """Parse lines of NDJSON; return None if all are empty.

    Raises:
        BadResponseError: A line is not JSON.
        BadRowsError: A row breaks the contract.
    """
    with readable_as("NDJSON", exchange):
        objects = [parse(line) for line in lines.split(b"\n") if line.strip()]
        return checker.check_objects(objects) if objects else None


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
        frame = fast_json.read_lines(lines, self._table)
        rows = None if frame is None else self._checker.check_order(frame)
        if rows is None:
            rows = parse_lines(lines, self._exchange, self._checker)
        if rows is not None:
            yield rows
