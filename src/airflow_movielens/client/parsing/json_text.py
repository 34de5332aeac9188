"""JSON as RFC 8259 has it: strictly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_movielens.client.errors import BadResponseError, DataError
from airflow_movielens.client.parsing.fast_json import read_uniform
from airflow_movielens.client.parsing.row_checker import readable_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.parsing.row_checker import RowChecker
    from airflow_movielens.client.rows import Rows
    from airflow_movielens.ratings.schema import Table


def parse(text: bytes) -> Any:
    """Parse JSON text; a byte order mark before it is passed over, as RFC 8259 allows.

    Raises:
        ValueError: It is not JSON; NaN and Infinity, which Python would take, are not.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def read_envelope(body: bytes, exchange: Exchange, table: Table, checker: RowChecker) -> tuple[Rows, int | None]:
    """Read the rows and the total out of an envelope, its keys in any order.

    Raises:
        BadResponseError: It is no envelope.
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
            raise BadResponseError('the API\'s answer has no list "result"', exchange)
        total = _total(envelope, exchange)
        return checker.check_objects(envelope["result"]), total


def read_envelope_total(body: bytes, exchange: Exchange) -> int | None:
    """Read nothing but the total; None if there is none.

    Raises:
        BadResponseError: It is no envelope.
        DataError: Its total is no count.
    """
    with readable_as("JSON", exchange):
        envelope = parse(body)
    if not isinstance(envelope, dict):
        raise BadResponseError("the API's answer is no JSON object", exchange)
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


_BYTES_AT_ONCE = 1 << 20
_LONGEST_LINE = 1 << 20


class NdjsonDecoder:
    """Reads lines out of an answer that arrives in pieces cut anywhere; empty lines are passed over.

    Args:
        exchange: Where the answer comes from, for error messages.
        table: What its rows are.
        checker: Checks them.
    """

    def __init__(self, exchange: Exchange, table: Table, checker: RowChecker) -> None:
        self._exchange = exchange
        self._table = table
        self._checker = checker
        self._waiting = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Rows]:
        """Take the next piece; give rows if enough whole lines are there.

        Raises:
            BadResponseError: A line is not JSON, or longer than 1 MiB.
            BadRowsError: A row breaks the contract.
        """
        self._waiting += chunk
        if len(self._waiting) < _BYTES_AT_ONCE:
            return
        yield from self.whole_rows()
        if len(self._waiting) > _LONGEST_LINE:
            raise BadResponseError(f"the API's answer has a line of more than {_LONGEST_LINE} bytes", self._exchange)

    def whole_rows(self) -> Iterator[Rows]:
        """Give the rows that are there as a whole: after an answer broke off, all of it that can be used.

        Raises:
            BadResponseError: A line is not JSON.
            BadRowsError: As `feed`.
        """
        end = self._waiting.rfind(b"\n") + 1
        lines = bytes(memoryview(self._waiting)[:end])
        del self._waiting[:end]
        yield from self._read(lines)

    def finish(self) -> Iterator[Rows]:
        """Take the end of the answer; give the rows not given yet. The last line may lack its line feed.

        Raises:
            BadResponseError: As `feed`; a last line that is not whole has broken off.
            BadRowsError: As `feed`.
        """
        lines, self._waiting = bytes(self._waiting), bytearray()
        self._check_last_line(lines[lines.rfind(b"\n") + 1 :])
        yield from self._read(lines)

    def _check_last_line(self, line: bytes) -> None:
        try:
            if line.strip():
                parse(line)
        except (ValueError, RecursionError) as error:
            raise BadResponseError("the API's answer broke off in the middle of a line", self._exchange) from error

    def _read(self, lines: bytes) -> Iterator[Rows]:
        columns = read_uniform(lines.removesuffix(b"\n"), self._table, b"\n")
        if columns is not None and (rows := self._checker.check_if_good(columns)) is not None:
            yield rows
            return
        with readable_as("NDJSON", self._exchange):
            objects = [parse(line) for line in lines.split(b"\n") if line.strip()]
            if objects:
                yield self._checker.check_objects(objects)
