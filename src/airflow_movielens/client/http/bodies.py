"""The body of an answer: whole or in pieces, its content coding taken off, and never more than fits."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from airflow_movielens.client.http.codings import CodingError, decode
from airflow_movielens.messages import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from urllib3 import BaseHTTPResponse

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
