"""Limits on clients, over raw sockets, because HTTP libraries keep these limits themselves."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from api_testing import Api, Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.datasets import synthetic
from movielens_api.middleware.request_limits import Limits
from movielens_api.table.catalogue import Catalogue

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
AUTHORIZATION = b"Authorization: Basic bW92aWVsZW5zOm1vdmllbGVucw==\r\n"
POST = b"POST /nothing HTTP/1.1\r\nHost: x\r\n" + AUTHORIZATION
QUICK = Limits(head_seconds=0.3, body_seconds=0.3, idle_seconds=1, stalled_seconds=0.3, body_bytes=1000)
Connect = Callable[[], socket.socket]


@contextmanager
def connecting(api: Api) -> Iterator[Connect]:
    opened: list[socket.socket] = []

    def connect() -> socket.socket:
        address = urlsplit(api.url)
        opened.append(socket.create_connection((address.hostname, address.port), timeout=20))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


@pytest.fixture
def connect(serving: Serving, small: Catalogue) -> Iterator[Connect]:
    with serving(create_app(small, DEFAULT, limits=QUICK), QUICK) as server, connecting(server) as connect:
        yield connect


@pytest.fixture
def patient(serving: Serving, small: Catalogue) -> Iterator[Connect]:
    with serving(create_app(small, DEFAULT)) as server, connecting(server) as connect:
        yield connect


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def response(connection: socket.socket) -> tuple[int, dict[str, str], Any]:
    """Read one response, to the end of its Content-Length."""
    file = connection.makefile("rb")
    status = int(file.readline().split()[1])
    headers = dict(line.decode().rstrip("\r\n").lower().split(": ", 1) for line in iter(file.readline, b"\r\n"))
    return status, headers, json.loads(file.read(int(headers["content-length"])))


def assert_refused(connection: socket.socket, status: int) -> None:
    received = until_closed(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), received
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"X: " + b"x" * 17_000 + b"\r\n\r\n",
        HEAD + b"X: " + b"x" * 600_000,
        HEAD + b"x" * 600_000,
        HEAD + b"X: x\r\n" * 5_000,
        b"GET /" + b"x" * 17_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /" + b"x" * 600_000,
        POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 600_000,
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 600_000,
    ],
    ids=["header", "endless header", "endless name", "headers", "target", "endless target", "chunk", "trailer"],
)
def test_431(patient: Connect, sent: bytes) -> None:
    connection = patient()
    connection.sendall(sent)
    received = until_closed(connection)
    # The posts get their response before the rest arrives, so that the rest only ends the connection.
    status = 404 if sent.startswith(POST) else 431
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(received.partition(b"\r\n\r\n")[2])["status"] == status


def test_a_head_just_below_the_limit_is_fine(patient: Connect) -> None:
    connection = patient()
    for _ in range(3):
        connection.sendall(HEAD + b"X: " + b"x" * 16_000 + b"\r\n\r\n")
        assert response(connection)[0] == 200


def test_many_requests_at_once_are_many_heads(patient: Connect) -> None:
    connection = patient()
    connection.sendall((HEAD + b"X: " + b"x" * 900 + b"\r\n\r\n") * 100)
    received = b""
    while received.count(b'{"status":"ok"}') < 100:
        received += connection.recv(65536)
    assert received.count(b"HTTP/1.1 200 ") == 100


def test_400(patient: Connect) -> None:
    connection = patient()
    connection.sendall(b"What is this?\r\n\r\n")
    assert_refused(connection, 400)


@pytest.mark.parametrize("sent", [b"GET /hea", HEAD, HEAD + b"X: y"])
def test_408_for_a_head_that_never_ends(connect: Connect, sent: bytes) -> None:
    connection = connect()
    connection.sendall(sent)
    assert_refused(connection, 408)


def test_single_bytes_do_not_extend_the_time(connect: Connect) -> None:
    connection = connect()
    connection.sendall(HEAD)
    connection.settimeout(0.05)
    received = b""
    for _ in range(200):
        try:
            connection.sendall(b"X: y\r\n")
            received = connection.recv(100)
            break
        except TimeoutError:
            continue
    assert received.startswith(b"HTTP/1.1 408 ")


def test_a_connection_without_a_request_is_closed(connect: Connect) -> None:
    assert until_closed(connect()) == b""


def test_an_idle_connection_is_closed(connect: Connect) -> None:
    connection = connect()
    connection.sendall(HEAD + b"\r\n")
    assert until_closed(connection).endswith(b'{"status":"ok"}')


@pytest.mark.parametrize("framing", [b"Content-Length: 500\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"])
def test_a_body_that_never_ends(connect: Connect, framing: bytes) -> None:
    connection = connect()
    connection.sendall(POST + framing)
    # Here nothing waits for bodies, so the response arrives before the connection is cut.
    assert until_closed(connection).startswith(b"HTTP/1.1 40")


def test_413_for_a_declared_body(connect: Connect) -> None:
    connection = connect()
    connection.sendall(POST + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001)
    status, headers, problem = response(connection)
    assert (status, problem["status"]) == (413, 413)
    assert headers["content-type"] == "application/problem+json"
    connection.sendall(HEAD + b"\r\n")
    assert response(connection)[0] == 200


def test_a_refusal_can_be_read_although_the_connection_is_to_be_closed(patient: Connect) -> None:
    # More than the buffers between client and server hold, so that the client still sends when it is refused.
    size = 16_000_000
    connection = patient()
    connection.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size)
    connection.sendall(b"x" * size)
    status, headers, problem = response(connection)
    assert (status, problem["status"]) == (413, 413)
    assert headers["connection"] == "close"
    # Closed in order, not reset, and nothing that follows the body is taken for a request.
    connection.sendall(HEAD + b"\r\n")
    assert connection.recv(1) == b""


def test_nothing_after_the_last_request_is_responded_to(patient: Connect) -> None:
    size = 5_000_000
    connection = patient()
    connection.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size)
    assert response(connection)[0] == 413
    connection.sendall(b"x" * size + HEAD + b"\r\n")
    assert until_closed(connection) == b""


def test_413_before_the_body_is_sent(connect: Connect) -> None:
    connection = connect()
    connection.sendall(POST + b"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
    assert response(connection)[0] == 413


def reading_bodies(catalogue: Catalogue) -> Any:
    app = create_app(catalogue, DEFAULT, limits=QUICK)

    @app.post("/bodies")
    async def count(body: dict[str, Any]) -> int:
        return len(body)

    return app


BODIES = POST.replace(b"/nothing", b"/bodies") + b"Content-Type: application/json\r\n"


def test_413_for_a_chunked_body(serving: Serving, small: Catalogue) -> None:
    with serving(reading_bodies(small), QUICK) as server, connecting(server) as connect:
        connection = connect()
        connection.sendall(BODIES + b"Transfer-Encoding: chunked\r\n\r\n" + b"1f4\r\n" + b" " * 500 + b"\r\n")
        connection.sendall(b"1f5\r\n" + b" " * 501 + b"\r\n0\r\n\r\n")
        assert response(connection)[0] == 413
        connection.sendall(BODIES + b"Content-Length: 1000\r\n\r\n" + b" " * 998 + b"{}")
        assert response(connection)[2] == 0


def test_408_for_a_body_that_a_route_waits_for(serving: Serving, small: Catalogue) -> None:
    with serving(reading_bodies(small), QUICK) as server, connecting(server) as connect:
        connection = connect()
        connection.sendall(BODIES + b"Content-Length: 500\r\n\r\n{")
        assert_refused(connection, 408)


def test_trailers_are_not_headers(serving: Serving, small: Catalogue) -> None:
    with serving(reading_bodies(small), QUICK) as server, connecting(server) as connect:
        connection = connect()
        sent = BODIES + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n"
        connection.sendall(sent)
        assert response(connection)[0] == 200


def test_a_client_that_stops_reading_is_cut_off(serving: Serving) -> None:
    app = create_app(synthetic.load(500_000, 0), DEFAULT)
    with serving(app, QUICK) as server, connecting(server) as connect:
        connection = connect()
        sent = b"GET /ratings HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n" + AUTHORIZATION + b"\r\n"
        connection.sendall(sent)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        for _ in range(200):
            [in_flight] = re.findall(r"requests_in_flight (\d)", server.get("/metrics").text)
            if in_flight == "1":
                break
            time.sleep(0.05)
        assert in_flight == "1"  # the request itself
        assert not until_closed_or_reset(connection).endswith(b"\r\n0\r\n\r\n")


def until_closed_or_reset(connection: socket.socket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(1 << 20):
            received = piece
    except ConnectionResetError:
        pass
    return received


def test_a_slow_reader_gets_everything(serving: Serving) -> None:
    app = create_app(synthetic.load(60_000, 0), DEFAULT)
    with serving(app, QUICK) as server, connecting(server) as connect:
        connection = connect()
        sent = b"GET /ratings HTTP/1.0\r\nAccept: application/x-ndjson\r\n" + AUTHORIZATION + b"\r\n"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(sent)
        received = b""
        while piece := connection.recv(100_000):
            received += piece
            time.sleep(0.02)
        assert received.partition(b"\r\n\r\n")[2].count(b"\n") == 60_000
