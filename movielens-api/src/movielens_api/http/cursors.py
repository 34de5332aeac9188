"""Cursors: a position in a window of a snapshot, as a signed token.

The key is random and belongs to the store, so cursors remain valid after a restart, and nobody else can write one.
"""

from __future__ import annotations

import binascii
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from functools import lru_cache

from movielens_api.http.parameters import MAX_LIMIT
from movielens_api.table.snapshots import ID_BYTES, Origin, SnapshotGoneError

# The version of the layout, the snapshot's mark and version, then first row, row after the last, offset and limit.
_LAYOUT = struct.Struct(f">B{ID_BYTES}sQQQQI")
VERSION = 2
# Together with the layout, a multiple of three bytes, so that base64 needs no padding.
_SIGNATURE_BYTES = 17
_TOKEN_CHARACTERS = (_LAYOUT.size + _SIGNATURE_BYTES) // 3 * 4


class BadCursorError(ValueError):
    """A cursor that this server did not write."""


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

    def check_bounds(self, rows: int) -> None:
        """Check that the window lies within the snapshot.

        Args:
            rows: How many rows the snapshot has.

        Raises:
            BadCursorError: The window starts or ends beyond the snapshot, or ends before it starts.
        """
        if not self.first <= self.end <= rows:
            raise BadCursorError(self)

    def token(self, key: bytes) -> str:
        """Return the cursor as text that needs no escaping in a URL."""
        mark = _mark(self.snapshot, key)
        content = _LAYOUT.pack(VERSION, mark, self.version, self.first, self.end, self.offset, self.limit)
        return urlsafe_b64encode(content + _sign(content, key)).decode()


def read(token: str, origin: Origin) -> Cursor:
    """Return the cursor in a token.

    Raises:
        BadCursorError: This server did not write the token.
        SnapshotGoneError: The token is of another store, or of one with other ratings. The signature is not checked
            then, because its key may be gone with the store, and the client has to start over in any case.
    """
    content, signature = _parts(token)
    layout, mark, version, first, end, offset, limit = _LAYOUT.unpack(content)
    if layout != VERSION or limit > MAX_LIMIT:
        raise BadCursorError(token)
    snapshot = origin.identify(version)
    if mark != _mark(snapshot, origin.key):
        raise SnapshotGoneError(version)
    if not hmac.compare_digest(signature, _sign(content, origin.key)):
        raise BadCursorError(token)
    return Cursor(snapshot, version, first, end, offset, limit)


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


@lru_cache(maxsize=256)
def _mark(snapshot: bytes, key: bytes) -> bytes:
    """Return what stands for a snapshot in tokens. It differs between stores, even if their ratings are the same."""
    return hmac.digest(key, b"snapshot " + snapshot, "sha256")[:ID_BYTES]
