"""Streamed responses end when nobody waits for them, in every format."""

from __future__ import annotations

import gc
import re
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from api_testing import Api, Launch, Serving, drained, url_of
from auth_testing import ANN, BEN, ann_and_ben, basic
from streaming_testing import EndlessTable, request

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.formats import FORMATS
from movielens_api.middleware.request_limits import Limits

ROWS = 300_000
FILES = [("1.1", "application/vnd.apache.parquet"), ("1.0", "text/csv"), ("1.0", "application/x-ndjson")]
PARQUET = "application/vnd.apache.parquet"
# More than the threads that serve everything else.
CROWD = 45
READERS = 60
# Of which the client's side of the connection has none.
MEGABYTES_OF_READER = 4


def is_over() -> bool:
    # The traceback of an exception keeps what raised it until garbage is collected.
    gc.collect()
    return EndlessTable.ended.acquire(timeout=0.1)


@pytest.mark.parametrize("media_type", FORMATS)
def test_nothing_is_computed_for_a_client_that_left(serving: Serving, media_type: str) -> None:
    with serving(create_app(EndlessTable.catalogue(), DEFAULT)) as server:
        port = urlsplit(server.url).port
        assert port
        with request(port, media_type):
            assert EndlessTable.started.acquire(timeout=20)
        assert any(is_over() for _ in range(200))


@pytest.mark.parametrize("is_late", [False, True])
def test_nothing_is_computed_for_a_client_that_left_although_it_had_sent_another_request(
    serving: Serving, *, is_late: bool
) -> None:
    another = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(create_app(EndlessTable.catalogue(), DEFAULT)) as server:
        port = urlsplit(server.url).port
        assert port
        with request(port, PARQUET) as connection:
            if not is_late:
                connection.sendall(another)
            assert EndlessTable.started.acquire(timeout=20)
            if is_late:
                connection.sendall(another)
                time.sleep(0.2)
        assert any(is_over() for _ in range(200))


def test_clients_that_wait_for_files_do_not_block_others(serving: Serving) -> None:
    with serving(create_app(EndlessTable.catalogue(), DEFAULT)) as server, ExitStack() as stack:
        port = urlsplit(server.url).port
        assert port
        for _ in range(CROWD):
            stack.enter_context(request(port, PARQUET))
        assert EndlessTable.started.acquire(timeout=20)
        assert server.get("/").status_code == 200
        with request(port, "text/csv") as connection:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def head_of(connection: socket.socket) -> bytes:
    """Read the head of a response and a little of its body, and nothing more."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1)
    return received


def ask(port: int, version: str, media_type: str, user: tuple[str, str]) -> socket.socket:
    """Request all ratings with a small buffer, so that what is not read stays in the server."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    login = f"Authorization: {basic(':'.join(user))}"
    connection.sendall(
        f"GET /ratings HTTP/{version}\r\nHost: localhost\r\n{login}\r\nAccept: {media_type}\r\n\r\n".encode()
    )
    return connection


@pytest.mark.parametrize(("version", "media_type"), FILES)
def test_files_have_a_limited_space(serving: Serving, tmp_path: Path, version: str, media_type: str) -> None:
    """Clients that read slowly cannot fill the disk, and one user leaves space for another."""
    catalogue = EndlessTable.catalogue()
    # For two files of each user.
    limits = Limits(file_bytes=5 * len(catalogue.ratings) * FORMATS[media_type].max_bytes_per_row)
    app = create_app(catalogue, None, users_file=ann_and_ben(tmp_path), limits=limits)
    with serving(app) as server, ExitStack() as stack:
        port = urlsplit(server.url).port
        assert port

        def start(user: tuple[str, str], version: str = version, media_type: str = media_type) -> socket.socket:
            return stack.enter_context(ask(port, version, media_type, user))

        while EndlessTable.started.acquire(blocking=False):
            continue  # from earlier tests
        for user in (ANN, BEN):
            # Logged in, so that the requests are handled in their order.
            assert Api(server.url, user).get("/movies").status_code == 200
            for _ in range(2):
                start(user)
                assert EndlessTable.started.acquire(timeout=30)
            assert head_of(start(user)).startswith(b"HTTP/1.1 503 ")
        assert head_of(start(ANN, "1.1", "text/csv")).startswith(b"HTTP/1.1 200 ")
        assert EndlessTable.started.acquire(timeout=30)
        stack.close()

        def is_free() -> bool:
            start(ANN)
            return EndlessTable.started.acquire(timeout=0.2)

        assert any(is_free() for _ in range(100))


def test_slow_readers_need_little_memory(launch: Launch) -> None:
    process = launch("serve", "--dataset", f"synthetic:{ROWS}", "--port", "0", "--access-log", "/dev/null")
    port = urlsplit(drained(process)).port
    assert port
    with ExitStack() as stack:
        before = memory(process.pid)
        connections = [
            stack.enter_context(ask(port, "1.1", "application/x-ndjson", ("movielens", "movielens")))
            for _ in range(READERS)
        ]
        for connection in connections:
            assert head_of(connection).startswith(b"HTTP/1.1 200 ")
        assert memory(process.pid) - before < READERS * MEGABYTES_OF_READER


def memory(pid: int) -> int:
    """Return the memory of a process in megabytes."""
    [resident] = re.findall(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(resident) // 1024


def test_a_file_that_cannot_be_written_is_a_503(launch: Launch) -> None:
    process = launch("serve", "--dataset", f"synthetic:{ROWS}", "--port", "0", "--access-log", "/dev/null")
    url = url_of(process)
    port = urlsplit(url).port
    assert port
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (500_000, 500_000))
    for version, media_type in FILES:
        with ask(port, version, media_type, ("movielens", "movielens")) as connection:
            head = head_of(connection)
            assert head.split()[1] == b"503", head
            assert b"retry-after: " in head.lower()
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert errors.count("a temporary file cannot be written") == len(FILES)
