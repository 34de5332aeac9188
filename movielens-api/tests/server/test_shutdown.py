"""Stopping: responses in flight are finished, new connections refused, and a second interrupt ends at once."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import streaming_testing
from api_testing import Launch, Process, children, is_alive, url_of

from movielens_api.system.signals import hangup

HEAD = b"GET /ratings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic bW92aWVsZW5zOm1vdmllbGVucw==\r\n"
STREAM = HEAD + b"Accept: text/csv\r\n\r\n"
ROWS = 400_000


def ask(url: str) -> socket.socket:
    """Request more than all buffers between client and server hold, and read a little of it."""
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port), timeout=30)
    connection.sendall(STREAM)
    assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    return connection


@pytest.fixture(autouse=True)
def default_hangup() -> Iterator[None]:
    """Let SIGHUP end processes as usual, also if the tests were started with nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(params=["1", "2"])
def process(launch: Launch, request: pytest.FixtureRequest) -> Process:
    return launch("serve", "--dataset", f"synthetic:{ROWS}", "--port", "0", "--workers", request.param)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_response_in_flight_is_finished_and_an_idle_connection_closed(process: Process, stop: signal.Signals) -> None:
    url = url_of(process)
    workers = children(process)
    address = urlsplit(url)
    with ask(url) as connection, socket.create_connection((address.hostname, address.port), timeout=30) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200 ")
        process.send_signal(stop)
        refused(url)
        # Nobody waits for the other connection.
        assert idle.recv(1000) == b""
        received = bytearray()
        while piece := connection.recv(1 << 20):
            received += piece
    assert received.endswith(b"\r\n0\r\n\r\n")
    # Each row has three commas; the header was read before.
    assert received.count(b",") >= 3 * (ROWS - 100)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert not any(is_alive(pid) for pid in workers)


def refused(url: str) -> None:
    address = urlsplit(url)
    for _ in range(100):
        try:
            socket.create_connection((address.hostname, address.port), timeout=1).close()
        except OSError:
            return
        time.sleep(0.05)
    raise AssertionError("still accepts connections")


def test_a_second_interrupt_stops_the_server_at_once(process: Process) -> None:
    url = url_of(process)
    workers = children(process)
    with ask(url) as connection:
        process.send_signal(signal.SIGINT)
        refused(url)
        process.send_signal(signal.SIGINT)
        # The client reads nothing: without the second, this would take as long as is granted.
        process.wait(timeout=8)
        assert connection.fileno() > 0
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert not any(is_alive(pid) for pid in workers)


@pytest.mark.parametrize("stuck", ["", "stuck"])
def test_what_never_ends_does_not_keep_the_server_from_stopping(tmp_path: Path, stuck: str) -> None:
    command = [sys.executable, streaming_testing.__file__, str(tmp_path), stuck]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            port = urlsplit(url_of(process)).port
            assert port
            # The client stays connected, and a Parquet file is sent when it is complete.
            with streaming_testing.request(port, "application/vnd.apache.parquet"):
                with streaming_testing.request(port, "text/csv") as other:
                    assert other.recv(1000).startswith(b"HTTP/1.1 200 ")
                process.send_signal(signal.SIGTERM)
                _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == (1 if stuck else 0), errors
    assert ("the shutdown was not finished after 3 seconds" in errors) is bool(stuck)


def test_nohup_is_respected() -> None:
    assert hangup() == [signal.SIGHUP]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert hangup() == []
