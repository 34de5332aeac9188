"""Responses of the API: read whole or as they arrive, and their compression (``Content-Encoding``)."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_movielens.ratings.messages import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from airflow_movielens.client.errors import Exchange
    from airflow_movielens.client.settings import Tuning

_COMPRESSED_CHUNK = 64 * 1024
_MAX_ERROR_BODY = 64 * 1024
_MAX_ERROR_TEXT = 300

_ZSTD_MODULES = ("compression.zstd", "backports.zstd")
"""The standard library's since Python 3.14, and the backport that urllib3 uses before."""


@dataclass(frozen=True)
class Response:
    """A successful response (200) with its whole body.

    Attributes:
        body: The body, decompressed.
        media_type: The media type of ``Content-Type``, in lower case, without parameters; empty if there is none.
        headers: All headers, with names looked up in any case.
        exchange: The request and its response, for error messages.
        url: The URL of the response, to which its links are relative. It may hold secrets, so it is not shown.
        is_close_delimited: Whether only the end of the connection ended the body (RFC 9112, section 6.3), so that a
            truncated body cannot be detected.
        seconds: How long the exchange took, without the wait for the rate limit.
    """

    body: bytes
    media_type: str
    headers: Mapping[str, str]
    exchange: Exchange
    url: str = field(repr=False)
    is_close_delimited: bool = False
    seconds: float = 0.0


class TooLargeError(ValueError):
    """The body is larger than that of a page with the requested rows may be."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"it is larger than {max_bytes // 1024**2} MB, too large for the requested number of rows")


def read_body(response: BaseHTTPResponse, tuning: Tuning, encodings: frozenset[str], rows: int) -> bytes:
    """Read the whole body.

    Args:
        response: The response.
        tuning: The sizes at which it is read.
        encodings: The compressions that were requested.
        rows: How many rows were requested.

    Raises:
        TooLargeError: The body is larger than `Tuning.largest_body`, compressed or decompressed.
        CompressionError: The compression was not requested, or the content does not have it.
        OSError: The body broke off.
        urllib3.exceptions.HTTPError: The body broke off.
    """
    length, largest = response.length_remaining, tuning.largest_body(rows)
    # Servers name the compression of an empty body, too.
    if length is None or (length and response.headers.get("Content-Encoding")):
        return b"".join(_bounded(read_chunks(response, tuning.chunk_bytes, encodings, largest), largest))
    if length > largest:
        raise TooLargeError(largest)
    body = response.read(length or 1, decode_content=False)  # to its end, which frees the connection
    if len(body) < length:
        raise ConnectionError(f"{len(body)} of {length} bytes arrived")
    return body


def read_chunks(
    response: BaseHTTPResponse, size: int, encodings: frozenset[str], largest: int | None = None
) -> Iterator[bytes]:
    """Yield the body in chunks of about ``size`` bytes.

    Args:
        response: The response.
        size: The size of a chunk, decompressed.
        encodings: The compressions that were requested.
        largest: How many bytes of it may arrive, compressed; None for any number.

    Raises:
        TooLargeError: More bytes arrived.
        CompressionError: The compression was not requested, or the content does not have it.
        OSError: The body broke off.
        urllib3.exceptions.HTTPError: The body broke off.
    """
    compression = response.headers.get("Content-Encoding", "").strip().lower()
    if compression in {"", "identity"}:
        return _gathered(_received(response, size), size)
    if compression not in encodings:
        raise CompressionError(f"its Content-Encoding {compression!r} was not requested")
    compressed = _received(response, _COMPRESSED_CHUNK)
    if largest is not None:
        compressed = _bounded(compressed, largest)
    return _gathered(decompress(compressed, compression, size), size)


def read_error_text(response: BaseHTTPResponse, encodings: frozenset[str]) -> str:
    """Return what the server says in an unsuccessful response: the ``detail`` of a problem, otherwise the body.

    Args:
        response: The response.
        encodings: The compressions that were requested; a text in another one is not read.
    """
    from urllib3.exceptions import HTTPError

    try:
        text = response.read(_MAX_ERROR_BODY, decode_content=False)
        compression = response.headers.get("Content-Encoding", "").strip().lower()
        if compression not in {"", "identity", *encodings}:
            return ""
        if compression not in {"", "identity"}:
            text = next(decompress([text], compression, _MAX_ERROR_BODY), b"")
    except (HTTPError, OSError, CompressionError):
        return ""
    return _detail(text.decode("utf-8", "replace"))


def discard(response: BaseHTTPResponse) -> None:
    """Read a body that nobody needs, which frees its connection; if it is large, close the connection instead."""
    from urllib3.exceptions import HTTPError

    with suppress(HTTPError, OSError):
        response.read(_MAX_ERROR_BODY, decode_content=False)
    response.close()
    response.release_conn()


def shorten(text: str) -> str:
    """Return the start of the server's text, on one line, for a message."""
    return " ".join(printable(text).split())[:_MAX_ERROR_TEXT]


def _detail(text: str) -> str:
    try:
        body = json.loads(text)
        return str(body.get("detail") or body.get("title") or body)
    except (ValueError, AttributeError, RecursionError):
        return text


def _received(response: BaseHTTPResponse, size: int) -> Iterator[bytes]:
    if response.chunked:
        return response.stream(size, decode_content=False)
    # Read only what has arrived already, so that it is not lost if the response breaks off.
    return iter(partial(response.read1, size, decode_content=False), b"")


def _gathered(chunks: Iterable[bytes], least: int) -> Iterator[bytes]:
    """Join small chunks, as some servers send one a row; yield what came before an error, then raise it."""
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= least:
                yield b"".join(parts)
                parts, size = [], 0
    except Exception:
        if parts:
            yield b"".join(parts)
        raise
    if parts:
        yield b"".join(parts)


def _bounded(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    left = max_bytes
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise TooLargeError(max_bytes)
        yield chunk


class CompressionError(ValueError):
    """The content is not compressed as ``Content-Encoding`` says."""


def accepted_encodings() -> str:
    """Return the compressions that can be decompressed here, for ``Accept-Encoding``."""
    return "gzip" if _zstd() is None else "zstd, gzip"


def encodings_in(header: str) -> frozenset[str]:
    """Return the compressions that ``Accept-Encoding`` requests; ``x-gzip`` is another name of ``gzip``."""
    names = {name.partition(";")[0].strip().lower() for name in header.split(",")} - {"identity", ""}
    return frozenset(names | {"x-gzip"} if "gzip" in names else names)


def decompress(chunks: Iterable[bytes], compression: str, max_bytes: int) -> Iterator[bytes]:
    """Decompress content as it arrives.

    Args:
        chunks: The compressed content.
        compression: The value of ``Content-Encoding``.
        max_bytes: The largest chunk to yield, in bytes; a small compressed chunk can hold huge content.

    Raises:
        CompressionError: The compression is unknown, or the content does not have it or is truncated.
    """
    start = _decompressor(compression.strip().lower())
    decompressor = start()
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if decompressor.eof:  # another member of the stream begins
                    decompressor = start()
                yield from decompressor.chunks(rest, max_bytes)
                rest = decompressor.unused_data
    except decompressor.errors as error:
        raise CompressionError(f"it is not {compression}: {error}") from error
    if not decompressor.eof:
        raise CompressionError(f"its {compression} content is truncated")


def _decompressor(compression: str) -> Callable[[], _Zlib | _Zstd]:
    if compression in {"gzip", "x-gzip"}:
        return _Zlib
    if compression == "zstd" and (zstd := _zstd()) is not None:
        return lambda: _Zstd(zstd)
    raise CompressionError(f"its Content-Encoding {compression!r} is unknown")


class _Zlib:
    errors: tuple[type[Exception], ...] = (zlib.error,)

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)  # gzip

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def chunks(self, chunk: bytes, max_bytes: int) -> Iterator[bytes]:
        decompressed = self._stream.decompress(chunk, max_bytes)
        while decompressed:
            yield decompressed
            decompressed = self._stream.decompress(self._stream.unconsumed_tail, max_bytes)


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

    def chunks(self, chunk: bytes, max_bytes: int) -> Iterator[bytes]:
        yield self._stream.decompress(chunk, max_bytes)
        while not self._stream.eof and not self._stream.needs_input:
            yield self._stream.decompress(b"", max_bytes)


def _zstd() -> Any:
    for name in _ZSTD_MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
