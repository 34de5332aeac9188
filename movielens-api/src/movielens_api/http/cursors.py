"""Cursors: where a client is in which window of which snapshot, in a token that shows whether it was changed.

It is signed with a key from the ratings themselves, so that a restart, and a server on the same ratings, take it, too.
Whoever has all of them could write one; it leads nowhere that parameters do not lead.
"""

from __future__ import annotations

import binascii
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace

from movielens_api.http.parameters import MAX_LIMIT
from movielens_api.table.snapshots import ID_BYTES, Origin, SnapshotGoneError

# The version of the layout, the snapshot's id and version, then first row, row after the last, offset and limit.
LAYOUT = struct.Struct(f">B{ID_BYTES}sQQQQI")
VERSION = 2
# With the layout, a multiple of three: base64 needs no padding then.
SIGNATURE_BYTES = 17
TOKEN_CHARACTERS = (LAYOUT.size + SIGNATURE_BYTES) // 3 * 4


class BadCursorError(ValueError):
    """A token that this server never wrote."""


@dataclass(frozen=True)
class Cursor:
    """A page of a window of a snapshot.

    Attributes:
        snapshot: the id of the snapshot.
        version: how many posted ratings the snapshot contains.
        first: the window's first row in the snapshot.
        end: the row after the window's last.
        offset: how many rows of the window to skip.
        limit: how many rows to return at most.
    """

    snapshot: bytes
    version: int
    first: int
    end: int
    offset: int
    limit: int

    def next(self) -> Cursor | None:
        """Return the page after this one, or None if this is the last or asks for no rows."""
        following = self.offset + self.limit
        return replace(self, offset=following) if self.limit and following < self.end - self.first else None

    def token(self, key: bytes) -> str:
        """Write the cursor as text that a URL can hold as it is."""
        content = LAYOUT.pack(VERSION, self.snapshot, self.version, self.first, self.end, self.offset, self.limit)
        return urlsafe_b64encode(content + _sign(content, key)).decode()


def read(token: str, origin: Origin) -> Cursor:
    """Return the cursor that a token says.

    Raises:
        BadCursorError: this server never wrote it.
        SnapshotGoneError: it leads into a snapshot of other ratings. Whether it is genuine is not looked at then:
            the key may be gone with the ratings, and starting over is right anyway.
    """
    content, signature = _parts(token)
    layout, *fields = LAYOUT.unpack(content)
    cursor = Cursor(*fields)
    if layout != VERSION or cursor.limit > MAX_LIMIT:
        raise BadCursorError(token)
    if cursor.snapshot != origin.identify(cursor.version):
        raise SnapshotGoneError(cursor.snapshot.hex())
    if not hmac.compare_digest(signature, _sign(content, origin.key)):
        raise BadCursorError(token)
    return cursor


def _parts(token: str) -> tuple[bytes, bytes]:
    try:
        written = urlsafe_b64decode(token) if len(token) == TOKEN_CHARACTERS else b""
    except (binascii.Error, ValueError):
        written = b""
    # Decoding skips what is not of the alphabet, so the same bytes have several spellings; only ours is right.
    if urlsafe_b64encode(written) != token.encode() or not written:
        raise BadCursorError(token)
    return written[: LAYOUT.size], written[LAYOUT.size :]


def _sign(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:SIGNATURE_BYTES]
