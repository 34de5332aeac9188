"""NDJSON: a JSON object on each line, read while it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_movielens.client.decoding.json_text import parse
from airflow_movielens.client.decoding.trouble import readable_as
from airflow_movielens.client.decoding.uniform import read_uniform
from airflow_movielens.client.errors import BadAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.decoding.checking import RowChecker
    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.rows import Rows
    from airflow_movielens.ratings.schema import Table

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
            BadAnswerError: A line is not JSON, or longer than 1 MiB.
            BadRowsError: A row breaks the contract.
        """
        self._waiting += chunk
        if len(self._waiting) < _BYTES_AT_ONCE:
            return
        yield from self.whole_rows()
        if len(self._waiting) > _LONGEST_LINE:
            raise BadAnswerError(f"the API's answer has a line of more than {_LONGEST_LINE} bytes", self._exchange)

    def whole_rows(self) -> Iterator[Rows]:
        """Give the rows that are there as a whole: after an answer broke off, all of it that can be used.

        Raises:
            BadAnswerError: A line is not JSON.
            BadRowsError: As `feed`.
        """
        end = self._waiting.rfind(b"\n") + 1
        lines = bytes(memoryview(self._waiting)[:end])
        del self._waiting[:end]
        yield from self._read(lines)

    def finish(self) -> Iterator[Rows]:
        """Take the end of the answer; give the rows not given yet. The last line may lack its line feed.

        Raises:
            BadAnswerError: As `feed`; a last line that is not whole has broken off.
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
            raise BadAnswerError("the API's answer broke off in the middle of a line", self._exchange) from error

    def _read(self, lines: bytes) -> Iterator[Rows]:
        columns = read_uniform(lines.removesuffix(b"\n"), self._table, b"\n")
        if columns is not None and (rows := self._checker.check_if_good(columns)) is not None:
            yield rows
            return
        with readable_as("NDJSON", self._exchange):
            objects = [parse(line) for line in lines.split(b"\n") if line.strip()]
            if objects:
                yield self._checker.check_objects(objects)
