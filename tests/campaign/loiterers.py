"""Clients that hang or leave: they hold connections, send half of a request, or do not read their response."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import deque
from contextlib import suppress
from itertools import count

from tests.campaign.api import Api
from tests.campaign.journal import Journal
from tests.campaign.plan import Plan

KINDS = {"silent": 2, "half a head": 2, "half a post": 3, "reads nothing": 2, "leaves": 3}
HELD = 25
"""How many connections are held at once."""


class Loiterers(threading.Thread):
    """A thread that opens such connections until it is stopped, and then closes all.

    Args:
        plan: The campaign.
        api: The server.
        journal: Counts the connections.
    """

    def __init__(self, plan: Plan, api: Api, journal: Journal) -> None:
        super().__init__(name="loiterers", daemon=True)
        self._plan, self._api, self._journal = plan, api, journal
        self._stopping = threading.Event()
        self._held: deque[socket.socket] = deque()

    def stop(self) -> None:
        """Open nothing new, and close everything."""
        self._stopping.set()

    def run(self) -> None:
        """Loiter."""
        for number in count():
            chance = self._plan.chance("loiterer", number)
            kind = chance.choices([*KINDS], [*KINDS.values()])[0]
            with suppress(OSError):
                self._loiter(kind, number)
                self._journal.count(f"loiterers: {kind}")
            while len(self._held) > (0 if self._stopping.is_set() else HELD):
                self._held.popleft().close()
            if self._stopping.wait(chance.uniform(0.05, 0.8)):
                break
        while self._held:
            self._held.popleft().close()

    def _loiter(self, kind: str, number: int) -> None:
        connection = self._connected()
        self._held.append(connection)
        if kind == "silent":
            return
        request = self._request(kind, number)
        connection.sendall(request[: len(request) // 2] if kind == "half a head" else request)
        if kind == "leaves":
            # Reset, as if the client had died.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._held.remove(connection)
            connection.close()

    def _connected(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self._api.port), timeout=5)
        if not self._api.trust:
            return plain
        try:
            return self._api.trust.wrap_socket(plain, server_hostname="localhost")
        except (OSError, ssl.SSLError):
            plain.close()
            raise

    def _request(self, kind: str, number: int) -> bytes:
        authorization = self._plan.owner.authorization(None)
        head = [f"Host: localhost:{self._api.port}", f"Authorization: {authorization}"]
        if kind == "half a post":
            # All that is missing is a space at the end.
            body = json.dumps(self._plan.never_posted(number)).encode()
            head += ["Content-Type: application/json", f"Content-Length: {len(body) + 1}"]
            return "\r\n".join(["POST /ratings HTTP/1.1", *head, "", ""]).encode() + body
        return "\r\n".join(["GET /ratings?limit=10000 HTTP/1.1", *head, "", ""]).encode()
