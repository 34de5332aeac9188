"""A bad network between clients and the server: connections that are refused, cut, delayed, stalled or slow."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from random import Random

from tests.campaign.journal import Journal
from tests.campaign.plan import Plan

CHUNK, SLOW_CHUNK = 65_536, 16_384
KINDS = {"clean": 10, "refused": 1, "cut": 3, "slow": 3, "delayed": 2, "stalled": 1, "stalled and cut": 1}
"""How often each kind of connection occurs."""


class BadNetwork:
    """A TCP proxy on a port of this machine.

    Args:
        plan: The campaign.
        port: The port to listen on.
        target: The port of the server.
        journal: Counts the connections of each kind.

    Attributes:
        is_calm: Whether new connections are clean, and those that exist neither wait nor break any more.
    """

    def __init__(self, plan: Plan, port: int, target: int, journal: Journal) -> None:
        self.port = port
        self.is_calm = False
        self._plan, self._target, self._journal = plan, target, journal
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Close all connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            _close(connection)

    def _accept(self) -> None:
        number = 0
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                number += 1
                chance = self._plan.chance("connection", number)
                kind = "clean" if self.is_calm else chance.choices([*KINDS], [*KINDS.values()])[0]
                self._journal.count(f"connections: {kind}")
                threading.Thread(target=self._connect, args=(client, kind, chance), daemon=True).start()

    def _connect(self, client: socket.socket, kind: str, chance: Random) -> None:
        if kind == "refused":
            return _reset(client)
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=10)
        except OSError:
            return _reset(client)
        server.settimeout(None)
        self._open |= {client, server}
        # One direction breaks: a request does not arrive as a whole, or its response is lost.
        breaks_at, breaks_up = int(10 ** chance.uniform(1, 6.5)), chance.random() < 0.3
        up = threading.Thread(
            target=self._forward, args=(client, server, kind, breaks_at if breaks_up else 0), daemon=True
        )
        up.start()
        self._forward(server, client, kind, 0 if breaks_up else breaks_at)
        up.join()
        self._open -= {client, server}
        return None

    def _forward(self, source: socket.socket, sink: socket.socket, kind: str, breaks_at: int) -> None:
        sent = 0
        with suppress(OSError):
            while data := source.recv(CHUNK if kind != "slow" or self.is_calm else SLOW_CHUNK):
                before, sent = sent, sent + len(data)
                if before < breaks_at <= sent and not self.is_calm:
                    if kind.startswith("stalled"):
                        self._wait(5)
                    if kind.endswith("cut"):
                        sink.sendall(data[: breaks_at - before])
                        break
                if kind in {"slow", "delayed"}:
                    self._wait(0.02 if kind == "slow" else 0.15)
                sink.sendall(data)
        _close(sink)
        _close(source)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.is_calm:
            time.sleep(min(left, 0.2))


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
