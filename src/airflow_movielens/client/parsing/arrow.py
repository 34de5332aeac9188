"""The framing of an Arrow IPC stream: where its messages begin and end, and of what kind they are.

After https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc: each message
is the marker 0xFFFFFFFF, the size of its metadata (int32, little-endian), the metadata, and a body. The metadata is a
flatbuffer `Message` (https://github.com/apache/arrow/blob/main/format/Message.fbs), of which this reads four fields.
A size of 0 is the end of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from struct import Struct, error
from typing import TYPE_CHECKING, Final

from airflow_movielens.client.errors import BadResponseError
from airflow_movielens.client.parsing.row_checker import readable_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.parsing.row_checker import RowChecker
    from airflow_movielens.client.rows import Rows
    from airflow_movielens.ratings.schema import Table

CONTINUATION: Final = b"\xff\xff\xff\xff"
END: Final = CONTINUATION + b"\0\0\0\0"
SCHEMA, RECORD_BATCH = 1, 3
PREFIX = 8
_MOST_METADATA = 1 << 20
_MOST_BODY = 256 << 20
_INT32, _UINT16, _UINT8, _INT64 = Struct("<i"), Struct("<H"), Struct("<B"), Struct("<q")
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_BATCH_LENGTH, _BATCH_COMPRESSION = 0, 3


@dataclass(frozen=True)
class Message:
    """One message of a stream.

    Attributes:
        kind: ``SCHEMA`` or ``RECORD_BATCH``.
        size: How many bytes it has, with its prefix and its body.
        rows: How many rows it has.
    """

    kind: int
    size: int
    rows: int


def metadata_size(buffer: bytes | bytearray, start: int) -> int:
    """Read the size of the metadata of the message at ``start``, of which 8 bytes must be there; 0 at the end.

    Raises:
        ValueError: There is no message.
    """
    (size,) = _INT32.unpack_from(buffer, start + 4)
    if buffer[start : start + 4] != CONTINUATION or not 0 <= size <= _MOST_METADATA:
        raise ValueError("a message does not begin as one")
    return int(size)


def read_message(metadata: bytes) -> Message:
    """Read the metadata of a message.

    Raises:
        ValueError: It is none, of a kind or size that is not read here, or compressed.
    """
    try:
        return _read_message(metadata)
    except error as reason:
        raise ValueError("the metadata of a message is damaged") from reason


def _read_message(metadata: bytes) -> Message:
    (root,) = _INT32.unpack_from(metadata, 0)
    kind = _number(metadata, root, _HEADER_TYPE, _UINT8)
    body = _number(metadata, root, _BODY_LENGTH, _INT64)
    if kind not in {SCHEMA, RECORD_BATCH}:
        raise ValueError(f"a message is of kind {kind}: only record batches without dictionaries can be read")
    if not 0 <= body <= _MOST_BODY or body % 8:
        raise ValueError(f"a message says that it has {body} bytes")
    size = PREFIX + len(metadata) + body
    return Message(kind, size, _rows(metadata, root, body) if kind == RECORD_BATCH else 0)


def _rows(metadata: bytes, root: int, body: int) -> int:
    place = _place(metadata, root, _HEADER)
    if place is None:
        raise ValueError("a record batch has no header")
    batch = place + _INT32.unpack_from(metadata, place)[0]
    if _place(metadata, batch, _BATCH_COMPRESSION) is not None:
        # The size that it would have uncompressed is for the sender to claim.
        raise ValueError("a record batch is compressed: compress the whole answer (Content-Encoding) instead")
    rows = _number(metadata, batch, _BATCH_LENGTH, _INT64)
    if not 0 <= rows <= body:
        raise ValueError(f"a record batch of {body} bytes says that it has {rows} rows")
    return rows


def _number(metadata: bytes, table: int, field: int, form: Struct) -> int:
    place = _place(metadata, table, field)
    return 0 if place is None else int(form.unpack_from(metadata, place)[0])


def _place(metadata: bytes, table: int, field: int) -> int | None:
    """Where a field of a flatbuffer table lies; None if it is not there, so that it has its default."""
    vtable = table - _INT32.unpack_from(metadata, table)[0]
    if min(table, vtable) < 0:
        raise ValueError("the metadata of a message is damaged")
    entry = 4 + 2 * field
    if entry + 2 > _UINT16.unpack_from(metadata, vtable)[0]:
        return None
    offset = _UINT16.unpack_from(metadata, vtable + entry)[0]
    return table + offset if offset else None


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
            BadResponseError: It is no Arrow stream, lacks a column, or is one that cannot be read here: compressed
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
            BadResponseError: As `feed`, or the stream's own end is missing: it has broken off.
            BadRowsError: As `feed`.
        """
        if not self._is_at_end:
            raise BadResponseError("the API's answer broke off: its Arrow stream has no end", self._exchange)
        yield from self.whole_rows()

    def whole_rows(self) -> Iterator[Rows]:
        """Give the record batches that are there as a whole: after an answer broke off, all of it that can be used.

        Raises:
            BadResponseError: As `feed`.
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
            raise BadResponseError(
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
