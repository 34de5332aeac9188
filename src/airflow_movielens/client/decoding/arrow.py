"""An Arrow IPC stream, read while it arrives."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from airflow_movielens.client.decoding.arrow_messages import (
    END,
    PREFIX,
    RECORD_BATCH,
    SCHEMA,
    Message,
    metadata_size,
    read_message,
)
from airflow_movielens.client.decoding.trouble import readable_as
from airflow_movielens.client.errors import BadAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.decoding.checking import RowChecker
    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.rows import Rows
    from airflow_movielens.ratings.schema import Table

_ROWS_AT_ONCE = 50_000
_BYTES_AT_ONCE = 2 << 20


class ArrowDecoder:
    """Reads record batches out of an answer that arrives in pieces cut anywhere.

    Args:
        exchange: Where the answer comes from, for error messages.
        table: What its rows are.
        checker: Checks them.
    """

    def __init__(self, exchange: Exchange, table: Table, checker: RowChecker) -> None:
        self._exchange = exchange
        self._table = table
        self._checker = checker
        self._schema = b""
        self._waiting = bytearray()
        self._whole = 0
        """How many of the waiting bytes are whole record batches."""
        self._rows = 0
        """How many rows these have."""
        self._is_at_end = False

    def feed(self, chunk: bytes) -> Iterator[Rows]:
        """Take the next piece; give rows if enough whole record batches are there.

        Raises:
            BadAnswerError: It is no Arrow stream, lacks a column, or is one that cannot be read here: compressed
                inside, with dictionaries, or with a record batch of more than 256 MiB.
            BadRowsError: A row breaks the contract.
        """
        self._waiting += chunk
        with readable_as("an Arrow stream", self._exchange):
            while message := self._next():
                self._take(message)
            if self._rows >= _ROWS_AT_ONCE or self._whole >= _BYTES_AT_ONCE:
                yield self._decode()

    def finish(self) -> Iterator[Rows]:
        """Take the end of the answer; give the rows not given yet.

        Raises:
            BadAnswerError: As `feed`, or the stream's own end is missing: it has broken off.
            BadRowsError: As `feed`.
        """
        if not self._is_at_end:
            raise BadAnswerError("the API's answer broke off: its Arrow stream has no end", self._exchange)
        yield from self.whole_rows()

    def whole_rows(self) -> Iterator[Rows]:
        """Give the record batches that are there as a whole: after an answer broke off, all of it that can be used.

        Raises:
            BadAnswerError: As `feed`.
            BadRowsError: As `feed`.
        """
        if self._rows:
            with readable_as("an Arrow stream", self._exchange):
                yield self._decode()

    def _next(self) -> Message | None:
        """The next message if it is there as a whole."""
        waiting, start = self._waiting, self._whole
        if len(waiting) < start + PREFIX:
            if self._is_at_end and len(waiting) > start:
                raise ValueError("it goes on after its end")
            return None
        if self._is_at_end:
            raise ValueError("it goes on after its end")
        size = metadata_size(waiting, start)
        if not size:
            self._end()
            return self._next()
        if len(waiting) < start + PREFIX + size:
            return None
        message = read_message(bytes(waiting[start + PREFIX : start + PREFIX + size]))
        return message if len(waiting) >= start + message.size else None

    def _end(self) -> None:
        if not self._schema:
            raise ValueError("it ends before its schema")
        self._is_at_end = True
        del self._waiting[self._whole : self._whole + PREFIX]

    def _take(self, message: Message) -> None:
        if (message.kind == SCHEMA) == bool(self._schema):
            raise ValueError("its schema is not its first message, or not the only one")
        if message.kind == RECORD_BATCH:
            self._whole += message.size
            self._rows += message.rows
            return
        self._schema = bytes(self._waiting[: message.size])
        del self._waiting[: message.size]
        self._check_columns()

    def _check_columns(self) -> None:
        import polars as pl

        sent = pl.read_ipc_stream(self._schema + END).columns
        missing = [name for name in self._table.column_names if name not in sent]
        if missing:
            raise BadAnswerError(
                f"the API's answer lacks the columns {', '.join(missing)} of {self._table.name}", self._exchange
            )

    def _decode(self) -> Rows:
        import polars as pl

        stream = BytesIO()
        stream.write(self._schema)
        with memoryview(self._waiting) as waiting:
            stream.write(waiting[: self._whole])
        stream.write(END)
        # Polars reads what lies in a BytesIO without a copy.
        stream.seek(0)
        columns = pl.read_ipc_stream(stream)
        del self._waiting[: self._whole]
        if len(columns) != self._rows:
            raise ValueError(f"{self._rows} rows are announced and {len(columns)} there")
        self._whole = self._rows = 0
        return self._checker.check_columns(columns)
