"""Cursors: a position in a window of a snapshot, as a signed token.

The key is derived from the ratings, so cursors remain valid after a restart and on another server with the same
ratings. Whoever has all ratings could forge a cursor, but it gives access to nothing that parameters do not.
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
_LAYOUT = struct.Struct(f">B{ID_BYTES}sQQQQI")
VERSION = 2
# Together with the layout, a multiple of three bytes, so that base64 needs no padding.
_SIGNATURE_BYTES = 17
_TOKEN_CHARACTERS = (_LAYOUT.size + _SIGNATURE_BYTES) // 3 * 4


class BadCursorError(ValueError):
    """A token that this server did not write."""


@dataclass(frozen=True)
class Cursor:
    """A page of a window of a snapshot.

    Attributes:
        snapshot: The id of the snapshot.
        version: The number of posted ratings in the snapshot.
        first: The first row of the window in the snapshot.
        end: The row after the last one of the window.
        offset: How many rows of the window to skip.
        limit: How many rows to return at most.
    """

    snapshot: bytes
    version: int
    first: int
    end: int
    offset: int
    limit: int

    def next(self) -> Cursor | None:
        """Return the next page, or None if this page is the last or has a limit of zero."""
        following = self.offset + self.limit
        return replace(self, offset=following) if self.limit and following < self.end - self.first else None

    def token(self, key: bytes) -> str:
        """Return the cursor as text that needs no escaping in a URL."""
        content = _LAYOUT.pack(VERSION, self.snapshot, self.version, self.first, self.end, self.offset, self.limit)
        return urlsafe_b64encode(content + _sign(content, key)).decode()


def read(token: str, origin: Origin) -> Cursor:
    """Return the cursor in a token.

    Raises:
        BadCursorError: This server did not write the token.
        SnapshotGoneError: The snapshot has other ratings. The signature is not checked then, because its key may be
            gone with the ratings, and the client has to start over in any case.
    """
    content, signature = _parts(token)
    layout, *fields = _LAYOUT.unpack(content)
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
        written = urlsafe_b64decode(token) if len(token) == _TOKEN_CHARACTERS else b""
    except (binascii.Error, ValueError):
        written = b""
    # Decoding skips characters outside the alphabet, so the same bytes have several spellings. Accept only ours.
    if urlsafe_b64encode(written) != token.encode() or not written:
        raise BadCursorError(token)
    return written[: _LAYOUT.size], written[_LAYOUT.size :]


def _sign(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:_SIGNATURE_BYTES]
