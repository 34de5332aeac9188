"""What clients alone can cause in the server log: no traceback, and a limited number of lines."""

from __future__ import annotations

import re
import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import leaving_testing
import pytest
from api_testing import Api, Launch, Process, url_of

BURST = 10


@dataclass
class Logging:
    """A server, and the lines in its log, which is read in the background."""

    process: Process
    url: str
    lines: list[str]

    def connect(self) -> socket.socket:
        address = urlsplit(self.url)
        return socket.create_connection((address.hostname, address.port), timeout=20)

    def send(self, content: bytes) -> None:
        """Send something, and read the response to its end."""
        with self.connect() as connection:
            connection.sendall(content)
            while connection.recv(65536):
                pass

    def is_idle(self) -> bool:
        """Return whether no other request is in flight."""
        return "requests_in_flight 1.0" in Api(self.url).get("/metrics").text

    def lines_with(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]


@pytest.fixture(scope="module")
def noisy(launch: Launch) -> Logging:
    process = launch("serve", "--dataset", "synthetic:200000", "--port", "0", "--access-log", "/dev/null")
    started = Logging(process, url_of(process), [])
    for pipe, lines in ((process.stdout, []), (process.stderr, started.lines)):
        threading.Thread(target=lines.extend, args=(pipe,), daemon=True).start()
    return started


def test_a_client_that_leaves_is_no_fault_of_the_server(noisy: Logging) -> None:
    leaving_testing.leave_in_every_way(noisy.connect)
    # What was computed for them ends, too.
    assert any(noisy.is_idle() or time.sleep(0.1) for _ in range(100))
    others = [line for line in noisy.lines if "WARNING movielens_api.server.connection: " not in line]
    assert [line for line in others if "loading synthetic" not in line] == []


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"What is this?\r\n\r\n", "with 400"),
        (leaving_testing.HEALTH.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"), "with 431"),
    ],
)
def test_refusals_are_limited_in_number(noisy: Logging, content: bytes, line: str) -> None:
    time.sleep(1.1)
    threads = [threading.Thread(target=noisy.send, args=(content,)) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(1.1)
    noisy.send(content)
    written = noisy.lines_with(line)
    left_out = [int(found[1]) for each in noisy.lines if (found := re.search(r"left out (\d+) such lines", each))]
    assert len(written) < 2 * BURST
    assert sum(left_out) > 0


def test_a_request_that_is_responded_to_is_not_logged(noisy: Logging) -> None:
    upgrade = b"\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    with noisy.connect() as connection:
        connection.sendall(leaving_testing.HEALTH.replace(b"\r\n\r\n", upgrade))
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert noisy.is_idle()
    assert not noisy.lines_with("pgrade")
