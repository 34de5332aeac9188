"""The framing of an Arrow IPC stream: where its messages begin and end, and of what kind they are.

After https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc: each message
is the marker 0xFFFFFFFF, the size of its metadata (int32, little-endian), the metadata, and a body. The metadata is a
flatbuffer `Message` (https://github.com/apache/arrow/blob/main/format/Message.fbs), of which this reads four fields.
A size of 0 is the end of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error
from typing import Final

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
