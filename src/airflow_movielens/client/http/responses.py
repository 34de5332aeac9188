"""An answer of the API, whole or as it arrives."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from airflow_movielens.ratings.messages import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from airflow_movielens.client.errors import Exchange


@dataclass(frozen=True)
class Response:
    """A successful answer (200), whole.

    Attributes:
        body: Its content, with any content coding (gzip, …) taken off.
        media_type: From ``Content-Type``, in lower case, without parameters; empty if the server sent none.
        headers: All headers; names are looked up whatever their case.
        exchange: Where it came from, for error messages.
        url: The URL that answered, which its links are relative to; nothing is hidden in it, so it is not shown.
        is_close_delimited: Whether only the end of the connection ended the body (RFC 9112, section 6.3), so that a cut
            is not seen.
    """

    body: bytes
    media_type: str
    headers: Mapping[str, str]
    exchange: Exchange
    url: str = field(repr=False)
    is_close_delimited: bool = False


class StreamedResponse(Protocol):
    """A successful answer (200) that is read while it arrives."""

    @property
    def media_type(self) -> str:
        """As in `Response`."""

    @property
    def headers(self) -> Mapping[str, str]:
        """As in `Response`."""

    @property
    def exchange(self) -> Exchange:
        """As in `Response`."""

    def chunks(self) -> Iterator[bytes]:
        """Give the content, with any content coding taken off, in pieces of about a megabyte.

        Raises:
            RetryableError: It broke off, or a piece took longer than the settings allow.
            BadResponseError: Its content coding is unknown or wrong.
            AbortedError: It is no longer wanted.
        """


MOST_BYTES = 256 * 1024**2
"""What the body of a page may have, without its coding: a page of 10,000 rows has a megabyte."""
PIECE = 1024**2
"""How large the pieces of a streamed answer are."""

_CODED_PIECE = 64 * 1024
_MOST_BYTES_OF_WORDS = 64 * 1024
_WORDS_SHOWN = 300


class TooLargeError(ValueError):
    """The body is larger than `MOST_BYTES`."""

    def __init__(self) -> None:
        super().__init__(f"it is larger than {MOST_BYTES // 1024**2} MB")


def read_body(response: BaseHTTPResponse) -> bytes:
    """Read the whole body.

    Raises:
        TooLargeError: See there.
        CodingError: Its content coding is unknown or wrong.
        OSError: It broke off.
        urllib3.exceptions.HTTPError: It broke off.
    """
    length = response.length_remaining
    # Servers name a coding of an empty body, too.
    if length is None or (length and response.headers.get("Content-Encoding")):
        return b"".join(_bounded(read_pieces(response)))
    if length > MOST_BYTES:
        raise TooLargeError
    body = response.read(length or 1, decode_content=False)  # to its end, so that the connection is free again
    if len(body) < length:
        raise ConnectionError(f"{len(body)} of {length} bytes arrived")
    return body


def read_pieces(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Read the body in pieces of about `PIECE` bytes; errors as for `read_body`, but any size is taken."""
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding in {"", "identity"}:
        return _gathered(_sent(response, PIECE))
    return _gathered(decode(_sent(response, _CODED_PIECE), coding, PIECE))


def read_words(response: BaseHTTPResponse) -> str:
    """The server's own words in an unsuccessful answer: the ``detail`` of a problem document, else its start."""
    from urllib3.exceptions import HTTPError

    try:
        text = response.read(_MOST_BYTES_OF_WORDS, decode_content=False)
        if coding := response.headers.get("Content-Encoding"):
            text = next(decode([text], coding, _MOST_BYTES_OF_WORDS), b"")
    except (HTTPError, OSError, CodingError):
        return ""
    return _said(text.decode("utf-8", "replace"))


def shortened(words: str) -> str:
    """As much of the server's words as a message can hold, on one line."""
    return " ".join(printable(words).split())[:_WORDS_SHOWN]


def _said(text: str) -> str:
    try:
        body = json.loads(text)
        return str(body.get("detail") or body.get("title") or body)
    except (ValueError, AttributeError, RecursionError):
        return text


def _sent(response: BaseHTTPResponse, size: int) -> Iterator[bytes]:
    if response.chunked:
        return response.stream(size, decode_content=False)
    # Not more than is there already: what came before a break is not lost.
    return iter(partial(response.read1, size, decode_content=False), b"")


def _gathered(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Chunks in pieces: some servers send a chunk a row. What came before an error is given before it."""
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= PIECE:
                yield b"".join(parts)
                parts, size = [], 0
    except Exception:
        if parts:
            yield b"".join(parts)
        raise
    if parts:
        yield b"".join(parts)


def _bounded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    left = MOST_BYTES
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise TooLargeError
        yield piece


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
