"""Compression of responses, at the level that takes the least time."""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor
else:
    from backports.zstd import ZstdCompressor

_LEVEL = 1
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class Compressor(Protocol):
    """A compressor of bytes that arrive piece by piece."""

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """Take some bytes, and return the compressed ones that are ready."""

    def flush(self) -> bytes:
        """Return the remaining compressed bytes."""


def _gzip() -> Compressor:
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)


def _zstd() -> Compressor:
    return ZstdCompressor(level=_LEVEL)


# In order of preference: zstd is three times as fast, and smaller.
CODINGS: dict[str, Callable[[], Compressor]] = {"zstd": _zstd, "gzip": _gzip}


def compress(chunks: Iterable[bytes | memoryview], coding: str) -> Iterator[bytes]:
    """Compress a stream, holding at most one chunk of it in memory."""
    compressor = CODINGS[coding]()
    for chunk in chunks:
        if ready := compressor.compress(chunk):
            yield ready
    yield compressor.flush()
