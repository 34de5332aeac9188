"""Too many connections: idle ones make room, busy ones keep theirs, and health checks get through."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from api_testing import Serving

from movielens_api.app import create_app
from movielens_api.auth import DEFAULT
from movielens_api.middleware.request_limits import Limits
from movielens_api.server.admission import Admission, Door
from movielens_api.table.catalogue import Catalogue

LIMITS = Limits(connections=4, connections_of_address=3, connections_for_health_checks=2)
AUTHORIZATION = "Authorization: Basic bW92aWVsZW5zOm1vdmllbGVucw=="
# The route waits for the body.
BUSY = (
    f"POST /ratings HTTP/1.1\r\nHost: x\r\n{AUTHORIZATION}\r\nExpect: 100-continue\r\n"
    "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
)


class Client:
    """Raw connections to a server."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.address = (str(address.hostname), int(address.port or 0))
        self.opened: list[socket.socket] = []

    def connect(self, sent: str = "", source: str = "127.0.0.1") -> socket.socket:
        opened = socket.create_connection(self.address, timeout=20, source_address=(source, 0))
        self.opened.append(opened)
        opened.sendall(sent.encode())
        return opened

    def idle(self, sent: str = "") -> socket.socket:
        """Return a connection that was responded to, and whose next request may have begun."""
        opened = self.connect("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert opened.recv(65536).startswith(b"HTTP/1.1 200 ")
        opened.sendall(sent.encode())
        return opened

    def busy(self, source: str = "127.0.0.1") -> socket.socket:
        """Return a connection with a request whose response waits for the rest of the body."""
        opened = self.connect(BUSY, source)
        assert opened.recv(100).startswith(b"HTTP/1.1 100 ")
        return opened

    def status(self, path: str, source: str = "127.0.0.1") -> int:
        opened = self.connect(f"GET {path} HTTP/1.1\r\nHost: x\r\n{AUTHORIZATION}\r\n\r\n", source)
        return int(opened.recv(65536).split()[1])


@pytest.fixture
def client(serving: Serving, small: Catalogue) -> Iterator[Client]:
    with serving(create_app(small, DEFAULT), LIMITS) as server:
        client = Client(server.url)
        yield client
        for opened in client.opened:
            opened.close()


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(5)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def finish(busy: socket.socket) -> int:
    busy.sendall(b"[]       ")
    return int(busy.recv(65536).split()[1])


def test_the_longest_idle_connection_makes_room(client: Client) -> None:
    idle = [client.idle() for _ in range(6)]
    assert client.status("/users") == 200
    assert [is_closed(each) for each in idle[:4]] == [True] * 4
    idle[5].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle[5].recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_head_that_never_ends_is_idle(client: Client) -> None:
    slow = [client.idle("GET /users HTTP/1.1\r\n") for _ in range(3)]
    assert [client.status("/users") for _ in range(3)] == [200] * 3
    assert [is_closed(each) for each in slow] == [True] * 3


def test_busy_connections_keep_their_place_and_health_checks_get_through(client: Client) -> None:
    sources = ["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2"]
    busy = [client.busy(source) for source in sources]
    for _ in range(5):
        # Each of these is closed after its response, or is idle and makes room.
        assert client.status("/users", "127.0.0.3") == 503
        assert [client.status(path, "127.0.0.3") for path in ("/healthz", "/readyz")] == [200, 200]
    assert [finish(each) for each in busy] == [201] * 4
    assert client.status("/users", "127.0.0.3") == 200


def test_one_address_leaves_room_for_others(client: Client) -> None:
    busy = [client.busy() for _ in range(3)]
    assert client.status("/users") == 503
    assert client.status("/users", "127.0.0.2") == 200
    assert [finish(each) for each in busy] == [201] * 3


class Opened:
    """A connection that a door closes."""

    def __init__(self, host: str, idle_since: float | None) -> None:
        self.host = host
        self.idle_since = idle_since
        self.is_closed = False

    def disconnect(self) -> None:
        self.is_closed = True
        self.idle_since = None


def test_nobody_is_admitted_when_even_the_reserve_is_busy(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    opened = [Opened(f"10.0.0.{number // 2}", None) for number in range(4)]
    door = Door(LIMITS, lambda: opened, lambda: now)
    assert door.admit("10.0.0.9") is Admission.CROWDED
    opened += [Opened("10.0.0.8", None), Opened("10.0.0.9", None)]
    assert [door.admit("10.0.0.9") for _ in range(20)] == [Admission.REFUSED] * 20
    for place, since in ((3, 5), (1, 4), (0, 7), (2, 6)):
        opened[place].idle_since = since
    assert door.admit("10.0.0.9") is Admission.ADMITTED
    assert [each.is_closed for each in opened] == [False, True, True, True, False, False]
    [line] = caplog.messages
    assert line.startswith("too many connections (4, of which 0 from 10.0.0.9): the longest idle ones are closed")
    now = 61.0
    assert door.make_room("Too many open files")
    assert opened[0].is_closed
    assert not door.make_room("Too many open files")
    assert "too many connections (Too many open files)" in caplog.messages[1]
