"""Content codings: taking the compression off an answer, in pieces of bounded size."""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_ZSTD_MODULES = ("compression.zstd", "backports.zstd")
"""In Python since 3.14, and what urllib3 uses before."""


class CodingError(ValueError):
    """The content is not what its coding says."""


def accepted_codings() -> str:
    """The codings that can be taken off here, for ``Accept-Encoding``."""
    return "gzip" if _zstd() is None else "zstd, gzip"


def decode(chunks: Iterable[bytes], coding: str, most: int) -> Iterator[bytes]:
    """Take a content coding off, as the content arrives.

    Args:
        chunks: The content.
        coding: From ``Content-Encoding``.
        most: Bytes that a piece may have. A small chunk can hold a huge content.

    Raises:
        CodingError: An unknown coding, or the content does not have it, or is cut.
    """
    start = _decompressor(coding.strip().lower())
    decompressor = start()
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if decompressor.eof:  # another member of the stream begins
                    decompressor = start()
                yield from decompressor.pieces(rest, most)
                rest = decompressor.unused_data
    except decompressor.errors as error:
        raise CodingError(f"it is no {coding}: {error}") from error
    if not decompressor.eof:
        raise CodingError(f"its {coding} is cut")


def _decompressor(coding: str) -> Callable[[], _Zlib | _Zstd]:
    if coding in {"gzip", "x-gzip", "deflate"}:
        return _Zlib
    if coding == "zstd" and (zstd := _zstd()) is not None:
        return lambda: _Zstd(zstd)
    raise CodingError(f"its coding {coding!r} is unknown")


class _Zlib:
    errors: tuple[type[Exception], ...] = (zlib.error,)

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its header

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def pieces(self, chunk: bytes, most: int) -> Iterator[bytes]:
        piece = self._stream.decompress(chunk, most)
        while piece:
            yield piece
            piece = self._stream.decompress(self._stream.unconsumed_tail, most)


class _Zstd:
    def __init__(self, zstd: Any) -> None:
        self._stream = zstd.ZstdDecompressor()
        self.errors: tuple[type[Exception], ...] = (zstd.ZstdError,)

    @property
    def eof(self) -> bool:
        return bool(self._stream.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._stream.unused_data)

    def pieces(self, chunk: bytes, most: int) -> Iterator[bytes]:
        yield self._stream.decompress(chunk, most)
        while not self._stream.eof and not self._stream.needs_input:
            yield self._stream.decompress(b"", most)


def _zstd() -> Any:
    for name in _ZSTD_MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
