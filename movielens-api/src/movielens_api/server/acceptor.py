"""How connections are accepted, so that several processes share a socket fairly, and an orderly shutdown."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from movielens_api.server.shutdown import end_after

if TYPE_CHECKING:
    from movielens_api.middleware.request_limits import Limits

# How long a worker pauses after accepting a connection, for each connection that it has.
_SECONDS_PER_CONNECTION = 0.0005
_MAX_PAUSE_SECONDS = 0.005
_SECONDS_AFTER_A_FAILURE = 0.1
Accept = Callable[[socket.socket], None]


class Server(uvicorn.Server):
    """A uvicorn server whose shutdown always ends, and closes the application.

    Args:
        config: The configuration.
        limits: How long the shutdown may take.
    """

    def __init__(self, config: uvicorn.Config, limits: Limits) -> None:
        super().__init__(config)
        self._limits = limits

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down. On a second SIGINT, shut down the application at once, which uvicorn would skip."""
        end_after(self._limits.finish_seconds + self._limits.close_seconds)
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()


class SharedSocketServer(Server):
    """A server that accepts connections with an ``Acceptor``."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
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
        # Only the client can cause errors here: it disconnected, or does not speak TLS.
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, accepted, ssl=self.config.ssl)

    def _protocol(self) -> asyncio.Protocol:
        protocol = self.config.http_protocol_class
        return protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]


class Acceptor:
    """An acceptor of connections, one by one. The more connections it has, the longer it waits for the next one.

    Args:
        shared: The listening socket.
        accept: Called with each new connection.
        connections: Returns the current number of connections.
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
        """Stop accepting connections."""
        self._loop.remove_reader(self._shared)
        if self._pause:
            self._pause.cancel()

    async def wait_closed(self) -> None:
        """Return at once, because there is nothing to wait for."""

    def _resume(self) -> None:
        self._loop.add_reader(self._shared, self._accept_one)

    def _accept_one(self) -> None:
        try:
            accepted, _ = self._shared.accept()
        except BlockingIOError:
            # Another worker was faster.
            return
        except OSError:
            # The client disconnected, or too many files are open, which is temporary.
            self._hold_back(_SECONDS_AFTER_A_FAILURE)
            return
        accepted.settimeout(0)
        self._accept(accepted)
        self._hold_back(min(_SECONDS_PER_CONNECTION * (1 + self._connections()), _MAX_PAUSE_SECONDS))

    def _hold_back(self, seconds: float) -> None:
        self._loop.remove_reader(self._shared)
        self._pause = self._loop.call_later(seconds, self._resume)
