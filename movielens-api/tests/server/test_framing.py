"""Where a request ends, and how many may wait on a connection, over raw sockets."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from api_testing import Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.server.framing import MAX_WAITING
from movielens_api.table.catalogue import Catalogue

HEADERS = b"Host: x\r\nAuthorization: Basic bW92aWVsZW5zOm1vdmllbGVucw==\r\n"
UPGRADE = HEADERS + b"Connection: Upgrade\r\nUpgrade: %b\r\n"
SMUGGLED = b"GET /users HTTP/1.1\r\n" + HEADERS + b"\r\n"
NEXT = b"GET /movies HTTP/1.1\r\n" + HEADERS + b"Connection: close\r\n\r\n"
ROWS = b'[{"userId":1,"movieId":7,"rating":4.0,"timestamp":20}]'
Send = Callable[..., list[str]]
Connect = Callable[..., socket.socket]


@pytest.fixture
def connect(serving: Serving, small: Catalogue) -> Iterator[Connect]:
    with serving(create_app(small, DEFAULT)) as api:
        address = urlsplit(api.url)

        def connect(receive_bytes: int | None = None) -> socket.socket:
            connection = socket.socket()
            if receive_bytes:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            connection.settimeout(20)
            connection.connect((address.hostname, address.port))
            return connection

        yield connect


@pytest.fixture
def send(connect: Connect) -> Send:
    """Send pieces one after the other. Return the status and the first word of each response."""

    def send(*pieces: bytes) -> list[str]:
        with connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for number, piece in enumerate(pieces):
                time.sleep(0.05 * bool(number))  # so that the server reads each piece by itself
                connection.sendall(piece)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        return [f"{status.decode()} {word.decode()}" for status, word in RESPONSE.findall(received)]

    return send


RESPONSE = re.compile(rb'HTTP/1\.1 (\d{3}) .*?\r\n\r\n\{"(\w+)"', re.DOTALL)


def with_length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def chunked(body: bytes) -> bytes:
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return b"Transfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % chunk


@pytest.mark.parametrize("framed", [with_length, chunked])
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_a_body_after_an_upgrade_is_no_request(send: Send, protocol: bytes, framed: Callable[[bytes], bytes]) -> None:
    head, end, body = framed(SMUGGLED).partition(b"\r\n\r\n")
    head = b"GET /ratings?limit=0 HTTP/1.1\r\n" + UPGRADE % protocol + head + end
    assert send(head + body + NEXT) == ["200 result", "200 result"]
    assert send(head, body + NEXT) == ["200 result", "200 result"]
    assert send(head[:-3], head[-3:] + body[:9], body[9:] + NEXT[:-2], NEXT[-2:]) == ["200 result", "200 result"]


@pytest.mark.parametrize("framed", [with_length, chunked])
def test_an_upgrade_is_ignored(send: Send, framed: Callable[[bytes], bytes]) -> None:
    post = b"POST /ratings HTTP/1.1\r\nContent-Type: application/json\r\n" + UPGRADE % b"h2c"
    assert send(post + framed(ROWS) + NEXT) == ["201 accepted", "200 result"]
    assert send(post + framed(b"") + NEXT) == ["400 type", "200 result"]
    read = b"GET /ratings?limit=0 HTTP/1.1\r\n" + UPGRADE % b"h2c" + b"\r\n"
    assert send(read * 3 + NEXT) == ["200 result"] * 4


def test_nothing_after_the_last_request_with_an_upgrade_is_responded_to(send: Send) -> None:
    head = b"POST /ratings HTTP/1.1\r\n" + HEADERS + b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n"
    json = b"Content-Type: application/json\r\n"
    assert send(head + json + with_length(ROWS) + SMUGGLED) == ["201 accepted"]


@pytest.mark.parametrize("pause", [0, 0.2])
def test_the_last_response_is_whole_whatever_follows_its_request(
    connect: Connect, caplog: pytest.LogCaptureFixture, pause: float
) -> None:
    """If the server closed a connection on which data arrive, it would be reset, and unread data would be lost."""
    last = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connect(receive_bytes=4_096) as connection:
        connection.sendall(last + SMUGGLED)
        time.sleep(pause)
        connection.sendall(SMUGGLED * 100)
        time.sleep(pause)
        received = b"".join(iter(lambda: connection.recv(1024), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length
    assert len(body) == int(length[1])
    assert not [record for record in caplog.records if "refused" in record.getMessage()]


def test_a_client_that_keeps_a_closed_connection_is_disconnected(connect: Connect) -> None:
    with connect() as connection:
        connection.sendall(NEXT)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert received.startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionError):
            for _ in range(100):
                time.sleep(0.1)
                connection.sendall(b"x")


def test_requests_beyond_the_limit_close_the_connection(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    assert len(send(request * (MAX_WAITING + 1) + NEXT)) <= MAX_WAITING + 1
    assert any("More than 100 requests wait" in record.getMessage() for record in caplog.records)


def test_nothing_is_read_while_requests_wait(connect: Connect) -> None:
    """A client that sends requests and reads no responses is stopped, or refused if many arrive at once."""
    requests = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * MAX_WAITING
    with connect() as connection:
        connection.settimeout(0.5)
        with pytest.raises((TimeoutError, ConnectionError)):
            until = time.monotonic() + 20
            while time.monotonic() < until:
                connection.sendall(requests)
