"""Arrow IPC streams, decoded as they arrive: the framing of messages, and record batches as rows.

The framing follows
https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc: each message is the
marker 0xFFFFFFFF, the size of its metadata (int32, little-endian), the metadata, and a body. The metadata is a
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
from airflow_movielens.client.settings import DEFAULT_TUNING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.parsing.row_checker import RowChecker
    from airflow_movielens.client.rows import Rows
    from airflow_movielens.client.settings import Tuning
    from airflow_movielens.ratings.schema import Table

_CONTINUATION: Final = b"\xff\xff\xff\xff"
_END: Final = _CONTINUATION + b"\0\0\0\0"
SCHEMA, _RECORD_BATCH = 1, 3
_PREFIX = 8
_MAX_METADATA = 1 << 20
_MAX_BODY = 256 << 20
_INT32, _UINT16, _UINT8, _INT64 = Struct("<i"), Struct("<H"), Struct("<B"), Struct("<q")
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_BATCH_LENGTH, _BATCH_COMPRESSION = 0, 3


@dataclass(frozen=True)
class Message:
    """One message of a stream.

    Attributes:
        kind: ``SCHEMA`` or ``_RECORD_BATCH``.
        size: The number of bytes, with prefix and body.
        rows: The number of rows.
    """

    kind: int
    size: int
    rows: int


def metadata_size(buffer: bytes | bytearray, start: int) -> int:
    """Read the size of the metadata of the message at ``start``, which must have 8 bytes; 0 at the end of the stream.

    Raises:
        ValueError: No message starts there.
    """
    (size,) = _INT32.unpack_from(buffer, start + 4)
    if buffer[start : start + 4] != _CONTINUATION or not 0 <= size <= _MAX_METADATA:
        raise ValueError("no message starts where one should")
    return int(size)


def read_message(metadata: bytes) -> Message:
    """Read the metadata of a message.

    Raises:
        ValueError: The metadata is damaged, or the message is compressed or of an unsupported kind or size.
    """
    try:
        return _read_message(metadata)
    except error as reason:
        raise ValueError("the metadata of a message is damaged") from reason


def _read_message(metadata: bytes) -> Message:
    (root,) = _INT32.unpack_from(metadata, 0)
    kind = _number(metadata, root, _HEADER_TYPE, _UINT8)
    body = _number(metadata, root, _BODY_LENGTH, _INT64)
    if kind not in {SCHEMA, _RECORD_BATCH}:
        raise ValueError(f"a message is of kind {kind}: only record batches without dictionaries can be read")
    if not 0 <= body <= _MAX_BODY or body % 8:
        raise ValueError(f"a message claims to have {body} bytes")
    size = _PREFIX + len(metadata) + body
    return Message(kind, size, _rows(metadata, root, body) if kind == _RECORD_BATCH else 0)


def _rows(metadata: bytes, root: int, body: int) -> int:
    place = _place(metadata, root, _HEADER)
    if place is None:
        raise ValueError("a record batch has no header")
    batch = place + _INT32.unpack_from(metadata, place)[0]
    if _place(metadata, batch, _BATCH_COMPRESSION) is not None:
        # The sender claims the uncompressed size, so it cannot be bounded.
        raise ValueError("a record batch is compressed: compress the whole response (Content-Encoding) instead")
    rows = _number(metadata, batch, _BATCH_LENGTH, _INT64)
    if not 0 <= rows <= body:
        raise ValueError(f"a record batch of {body} bytes claims to have {rows} rows")
    if body > DEFAULT_TUNING.largest_body(rows):
        raise ValueError(f"a record batch of only {rows} rows has {body} bytes")
    return rows


def _number(metadata: bytes, table: int, field: int, form: Struct) -> int:
    place = _place(metadata, table, field)
    return 0 if place is None else int(form.unpack_from(metadata, place)[0])


def _place(metadata: bytes, table: int, field: int) -> int | None:
    """Return the position of a field of a flatbuffer table; None if it is missing and so has its default."""
    vtable = table - _INT32.unpack_from(metadata, table)[0]
    if min(table, vtable) < 0:
        raise ValueError("the metadata of a message is damaged")
    entry = 4 + 2 * field
    if entry + 2 > _UINT16.unpack_from(metadata, vtable)[0]:
        return None
    offset = _UINT16.unpack_from(metadata, vtable + entry)[0]
    return table + offset if offset else None


class ArrowDecoder:
    """A decoder of record batches that arrive in chunks cut anywhere.

    Args:
        exchange: The request and its response, for error messages.
        table: The table of the rows.
        checker: The checker of the rows.
        tuning: How many rows or bytes to decode at once.
    """

    def __init__(self, exchange: Exchange, table: Table, checker: RowChecker, tuning: Tuning) -> None:
        self._tuning = tuning
        self._exchange = exchange
        self._table = table
        self._checker = checker
        self._schema = b""
        self._waiting = bytearray()
        self._whole = 0
        """How many of the waiting bytes are complete record batches."""
        self._rows = 0
        """How many rows these record batches have."""
        self._is_at_end = False

    def feed(self, chunk: bytes) -> Iterator[Rows]:
        """Take the next chunk, and yield rows if enough complete record batches have arrived.

        Raises:
            BadResponseError: The response is not an Arrow stream, lacks a column, or is not supported: compressed
                inside, with dictionaries, or with a record batch of more than 256 MiB.
            BadRowsError: A row breaks the contract.
        """
        self._waiting += chunk
        with readable_as("an Arrow stream", self._exchange):
            while message := self._next():
                self._take(message)
            if self._rows >= self._tuning.arrow_rows or self._whole >= self._tuning.arrow_bytes:
                yield self._decode()

    def finish(self) -> Iterator[Rows]:
        """Take the end of the response, and yield the remaining rows.

        Raises:
            BadResponseError: The stream lacks its end mark, or cannot be read (see `feed`).
            BadRowsError: A row breaks the contract.
        """
        if not self._is_at_end:
            raise BadResponseError("the API's response broke off: its Arrow stream has no end", self._exchange)
        yield from self.whole_rows()

    def whole_rows(self) -> Iterator[Rows]:
        """Yield the rows of complete record batches; after a response broke off, no more can be used.

        Raises:
            BadResponseError: The stream cannot be read (see `feed`).
            BadRowsError: A row breaks the contract.
        """
        if self._rows:
            with readable_as("an Arrow stream", self._exchange):
                yield self._decode()

    def _next(self) -> Message | None:
        """Return the next message; None if it has not arrived completely."""
        waiting, start = self._waiting, self._whole
        if len(waiting) < start + _PREFIX:
            if self._is_at_end and len(waiting) > start:
                raise ValueError("it continues after its end")
            return None
        if self._is_at_end:
            raise ValueError("it continues after its end")
        size = metadata_size(waiting, start)
        if not size:
            self._end()
            return self._next()
        if len(waiting) < start + _PREFIX + size:
            return None
        message = read_message(bytes(waiting[start + _PREFIX : start + _PREFIX + size]))
        return message if len(waiting) >= start + message.size else None

    def _end(self) -> None:
        if not self._schema:
            raise ValueError("it ends before its schema")
        self._is_at_end = True
        del self._waiting[self._whole : self._whole + _PREFIX]

    def _take(self, message: Message) -> None:
        if (message.kind == SCHEMA) == bool(self._schema):
            raise ValueError("its schema is not its first message, or not the only one")
        if message.kind == _RECORD_BATCH:
            self._whole += message.size
            self._rows += message.rows
            return
        self._schema = bytes(self._waiting[: message.size])
        del self._waiting[: message.size]
        self._check_columns()

    def _check_columns(self) -> None:
        import polars as pl

        sent = pl.read_ipc_stream(self._schema + _END).columns
        missing = [name for name in self._table.column_names if name not in sent]
        if missing:
            raise BadResponseError(
                f"the API's response lacks the columns {', '.join(missing)} of {self._table.name}", self._exchange
            )

    def _decode(self) -> Rows:
        import polars as pl

        stream = BytesIO()
        stream.write(self._schema)
        with memoryview(self._waiting) as waiting:
            stream.write(waiting[: self._whole])
        stream.write(_END)
        # Polars reads a BytesIO without a copy.
        stream.seek(0)
        columns = pl.read_ipc_stream(stream, columns=list(self._table.column_names))
        del self._waiting[: self._whole]
        if len(columns) != self._rows:
            raise ValueError(f"{self._rows} rows were announced, but {len(columns)} arrived")
        self._whole = self._rows = 0
        return self._checker.check_columns(columns)
