"""Clients that leave at any moment, also with requests that nobody has responded to yet."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from itertools import product

Connect = Callable[[], socket.socket]

LOGIN = b"Authorization: Basic bW92aWVsZW5zOm1vdmllbGVucw==\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /ratings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + LOGIN
MEDIA_TYPES = (
    b"application/json",
    b"application/x-ndjson",
    b"text/csv",
    b"application/vnd.apache.arrow.stream",
    b"application/vnd.apache.parquet",
)


def ask(media_type: bytes, *headers: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    """Return a request for ratings: all of them, but of JSON, whose pages are limited."""
    limit = b"?limit=10000" if media_type == b"application/json" else b""
    lines = [b"Host: localhost", b"Accept: " + media_type, *headers]
    head = b"".join(line + b"\r\n" for line in lines)
    return b"%b /ratings%b HTTP/%b\r\n%b%b\r\n" % (method, limit, version, head, LOGIN)


CSV, PARQUET = ask(b"text/csv"), ask(b"application/vnd.apache.parquet")
# What a client sends, and how much it reads at most before it leaves.
SILENT = (b"", b"GET /rat", b"GET /ratings HTTP/1.1\r\nHost: loc", POST + b"Content-Length: 100\r\n\r\n[", POST)
STREAMS = [ask(*pair) for pair in product(MEDIA_TYPES, (b"X: x", b"Accept-Encoding: gzip", b"Accept-Encoding: zstd"))]
FURTHER = (
    CSV * 5,
    PARQUET * 3,
    HEALTH * 50 + CSV,
    CSV + HEALTH * 50,
    CSV + b"GET /rat",
    CSV + POST + b"Content-Length: 100\r\n\r\n[",
    ask(b"text/csv", b"Connection: close") + CSV,
    ask(b"text/csv", method=b"HEAD") * 20,
    CSV + ask(b"text/csv", method=b"HEAD") * 20,
    ask(b"text/csv", version=b"1.0") + CSV,
    POST + b"Content-Length: 2\r\n\r\n[]" + CSV + CSV,
    POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n" + CSV,
    POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    CSV + b"What is this?\r\n\r\n",
    HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    POST + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n[]" + CSV,
)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def close_half(connection: socket.socket) -> None:
    """Send nothing more, read a little, then reset the connection."""
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    reset(connection)


def leave_in_every_way(connect: Connect) -> None:
    """Connect, send something, and leave."""
    for sent, bytes_read in _requests():
        for leave in (reset, socket.socket.close, close_half):
            connection = connect()
            connection.sendall(sent)
            if bytes_read:
                connection.recv(bytes_read)
            leave(connection)


def _requests() -> Iterator[tuple[bytes, int]]:
    yield from product(SILENT, (0,))
    yield from product((*STREAMS, *FURTHER), (0, 1, 100_000))
