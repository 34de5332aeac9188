"""uvicorn's server, except that one who insists on its end gets an orderly one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn


class Server(uvicorn.Server):
    """A server that closes the application even if it does not wait for the answers under way."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; on a second SIGINT at once, where uvicorn would leave the application without a word."""
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()


# How long a worker holds back after each connection, for each that it has.
SECONDS_PER_CONNECTION = 0.0005
LONGEST_SECONDS = 0.005
SECONDS_AFTER_A_FAILURE = 0.1

Accept = Callable[[socket.socket], None]


class SharedSocketServer(Server):
    """uvicorn's server, with an `Acceptor` instead of its own."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets=[])
        self._opening: set[asyncio.Task[None]] = set()
        for shared in sockets or []:
            acceptor = Acceptor(shared, self._open, lambda: len(self.server_state.connections))
            self.servers.append(acceptor)  # type: ignore[arg-type]

    def _open(self, accepted: socket.socket) -> None:
        task = asyncio.create_task(self._connect(accepted))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        # Nothing but what the client does wrong can fail here: it has gone, or speaks no TLS.
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, accepted, ssl=self.config.ssl)

    def _protocol(self) -> asyncio.Protocol:
        protocol = self.config.http_protocol_class
        return protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]


class Acceptor:
    """Accepts connections one by one, the slower the more there are.

    Args:
        shared: the listening socket.
        accept: takes a new connection.
        connections: tells how many there are.
    """

    def __init__(self, shared: socket.socket, accept: Accept, connections: Callable[[], int]) -> None:
        self._shared = shared
        self._accept = accept
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        shared.settimeout(0)
        self._resume()

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._shared)
        if self._pause:
            self._pause.cancel()

    async def wait_closed(self) -> None:
        """Return at once: there is nothing to wait for."""

    def _resume(self) -> None:
        self._loop.add_reader(self._shared, self._one)

    def _one(self) -> None:
        try:
            accepted, _ = self._shared.accept()
        except BlockingIOError:
            # Another worker was faster.
            return
        except OSError:
            # The client has gone, or too many files are open, which passes.
            self._hold_back(SECONDS_AFTER_A_FAILURE)
            return
        accepted.settimeout(0)
        self._accept(accepted)
        self._hold_back(min(SECONDS_PER_CONNECTION * (1 + self._connections()), LONGEST_SECONDS))

    def _hold_back(self, seconds: float) -> None:
        self._loop.remove_reader(self._shared)
        self._pause = self._loop.call_later(seconds, self._resume)
