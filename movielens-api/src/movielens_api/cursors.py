"""Cursors: where a client is in which window of which snapshot, in a token that only this server can write."""

import binascii
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace

from movielens_api.snapshots import ID_BYTES, Snapshots

# The version of the layout, the snapshot, then first row, row after the last, offset and limit.
LAYOUT = struct.Struct(f">B{ID_BYTES}sQQQI")
VERSION = 1
SIGNATURE_BYTES = 16
TOKEN_CHARACTERS = (LAYOUT.size + SIGNATURE_BYTES + 2) // 3 * 4


class BadCursorError(ValueError):
    """A token that this server never wrote."""


@dataclass(frozen=True)
class Cursor:
    """A page of a window of a snapshot.

    Attributes:
        snapshot: the id of the snapshot.
        first: the window's first row in the snapshot.
        end: the row after the window's last.
        offset: how many rows of the window to skip.
        limit: how many rows to return at most.
    """

    snapshot: bytes
    first: int
    end: int
    offset: int
    limit: int

    def next(self) -> "Cursor | None":
        """Return the page after this one, or None if this is the last or asks for no rows."""
        following = self.offset + self.limit
        return replace(self, offset=following) if self.limit and following < self.end - self.first else None

    def token(self, key: bytes) -> str:
        """Write the cursor as text that a URL can hold as it is."""
        content = LAYOUT.pack(VERSION, self.snapshot, self.first, self.end, self.offset, self.limit)
        return urlsafe_b64encode(content + _sign(content, key)).decode()


def read(token: str, snapshots: Snapshots) -> Cursor:
    """Return the cursor that a token says.

    Raises:
        BadCursorError: this server never wrote it.
        SnapshotGoneError: it leads into a snapshot that is not here. Whether it is genuine is not looked at then:
            the key may be gone with the snapshot, and starting over is right anyway.
    """
    content, signature = _parts(token)
    version, snapshot, first, end, offset, limit = LAYOUT.unpack(content)
    if version != VERSION:
        raise BadCursorError(token)
    snapshots.find(snapshot)
    if not hmac.compare_digest(signature, _sign(content, snapshots.key)):
        raise BadCursorError(token)
    return Cursor(snapshot, first, end, offset, limit)


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
