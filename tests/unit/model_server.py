"""A lean HTTP server for thousands of short fetches: whole and cut responses, and reset connections."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

Query = dict[str, str]


@dataclass
class Reply:
    """One HTTP response.

    Attributes:
        body: Its content.
        status: Its status code.
        headers: Its headers, except those about its length.
        chunked: Whether it is sent in chunks, without a length.
        cut_at: Where the connection breaks, as a fraction of the body from 0 to 1; None if it does not.
        reset: Whether the connection is reset instead of a response.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    cut_at: float | None = None
    reset: bool = False


Respond = Callable[[Query, int], Reply]
"""(query, number of the request from 0) -> reply"""


class ModelServer:
    """Responds to GET requests on a free loopback port, with a thread for each connection.

    Args:
        respond: Makes each response; it is called for one request at a time.
        max_requests: The number of requests after which each further one is refused with status 400.
    """

    def __init__(self, respond: Respond, max_requests: int) -> None:
        self._respond = respond
        self._max_requests = max_requests
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[Query] = []
        self.failure: BaseException | None = None
        """The first error in ``respond``, which `stop` raises."""

    def start(self) -> None:
        self._threads[0].start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Respond to no request meanwhile, not even to those whose client has gone."""
        with self._lock:
            yield

    @property
    def threads(self) -> list[threading.Thread]:
        return list(self._threads)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._connections.append(connection)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for target in _targets(connection):
                reply = self._reply(dict(parse_qsl(urlsplit(target).query)))
                if reply.reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                connection.sendall(_encoded(reply))
                if reply.cut_at is not None:
                    return

    def _reply(self, query: Query) -> Reply:
        with self._lock:
            number = len(self.requests)
            self.requests.append(query)
            if number >= self._max_requests:
                return Reply(b"too many requests", 400)
            try:
                return self._respond(query, number)
            except BaseException as error:  # noqa: BLE001 - raised by `stop`
                self.failure = self.failure or error
                return Reply(repr(error).encode(), 400)


@contextmanager
def serve(respond: Respond, max_requests: int = 1000) -> Iterator[ModelServer]:
    """Run a server whose responses ``respond`` makes."""
    server = ModelServer(respond, max_requests)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _targets(connection: socket.socket) -> Iterator[str]:
    received = b""
    while chunk := connection.recv(65_536):
        received += chunk
        while b"\r\n\r\n" in received:
            head, _, received = received.partition(b"\r\n\r\n")
            yield head.split(b" ", 2)[1].decode()


def _encoded(reply: Reply) -> bytes:
    headers = dict(reply.headers)
    body = reply.body
    sent = body if reply.cut_at is None else body[: int(len(body) * reply.cut_at)]
    if reply.chunked:
        headers["Transfer-Encoding"] = "chunked"
        half = len(sent) // 2
        sent = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (sent[:half], sent[half:]) if part)
        sent += b"0\r\n\r\n" if reply.cut_at is None else b""
    else:
        # A cut after the last byte would go unnoticed.
        headers["Content-Length"] = str(len(body) + (reply.cut_at is not None))
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + sent
