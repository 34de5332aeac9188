"""How connections are accepted and admitted, also by several processes that share a socket, and an orderly shutdown."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import uvicorn

from movielens_api.server import hangs
from movielens_api.server.admission import Admission, Door, Open
from movielens_api.server.shutdown import end_after

if TYPE_CHECKING:
    from movielens_api.middleware.request_limits import Limits
    from movielens_api.server.connection import Connection

# How long a worker pauses after accepting a connection, for each connection that it has.
_SECONDS_PER_CONNECTION = 0.0005
_MAX_PAUSE_SECONDS = 0.005
_SECONDS_AFTER_A_FAILURE = 0.1
_SECONDS_TO_CLOSE = 0.01
_TOO_MANY_FILES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
TICKS_PER_SECOND = 10
Accept = Callable[[socket.socket, str], None]


class AdmittingServer(uvicorn.Server):
    """A uvicorn server that limits connections before the TLS handshake, and closes the application at the end.

    Args:
        config: The configuration of uvicorn.
        limits: The limits on connections.
    """

    def __init__(self, config: uvicorn.Config, limits: Limits) -> None:
        super().__init__(config)
        self._limits = limits
        self._opening: dict[asyncio.Task[None], Handshake] = {}

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        if sys.platform == "win32":  # whose event loop cannot wait for a socket to become readable
            await super().startup(sockets)
            return
        await super().startup(sockets=[])
        self._door = Door(self._limits, self._all_open)
        for bound in sockets or []:
            acceptor = Acceptor(bound, self._open, self._door, self._seconds_to_pause)
            self.servers.append(acceptor)  # type: ignore[arg-type]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down. On a second SIGINT, shut down the application at once, which uvicorn would skip."""
        for opening in list(self._opening):
            opening.cancel()
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()

    def _seconds_to_pause(self) -> float:
        return 0

    def _all_open(self) -> Sequence[Open]:
        # What is established or closed leaves its set a moment later. Without TLS, there is no handshake to wait for.
        opened = cast("set[Connection]", self.server_state.connections)
        opening = (each for each in self._opening.values() if self.config.ssl and not each.is_over)
        return [*opening, *(each for each in opened if not each.transport.is_closing())]

    def _open(self, accepted: socket.socket, host: str) -> None:
        admission = self._door.admit(host)
        if admission is Admission.REFUSED:
            accepted.close()
            return
        handshake = Handshake(host, self._make(is_crowded=admission is Admission.CROWDED))
        handshake.task = asyncio.create_task(self._connect(accepted, handshake.connection))
        self._opening[handshake.task] = handshake
        handshake.task.add_done_callback(self._opening.pop)

    def _make(self, *, is_crowded: bool) -> Connection:
        made = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        connection = cast("Connection", made)
        connection.is_crowded = is_crowded
        return connection

    async def _connect(self, accepted: socket.socket, connection: Connection) -> None:
        loop, tls = asyncio.get_running_loop(), self.config.ssl
        seconds = self._limits.head_seconds if tls else None
        # Only the client can cause errors here: it disconnected, is too slow, or does not speak TLS.
        with suppress(OSError):
            await loop.connect_accepted_socket(lambda: connection, accepted, ssl=tls, ssl_handshake_timeout=seconds)


class Server(AdmittingServer):
    """The server of a process. It shows where it hangs, and its shutdown always ends, if necessary with the process."""

    async def on_tick(self, counter: int) -> bool:
        """Return whether to shut down. uvicorn calls this ten times a second."""
        if counter % TICKS_PER_SECOND == 0:
            hangs.show_after(self._limits.slow_seconds)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down."""
        hangs.show_no_more()
        end_after(self._limits.finish_seconds + self._limits.close_seconds)
        await super().shutdown(sockets)


class SharedSocketServer(Server):
    """A server that shares its socket with other processes: one with few connections accepts the next one."""

    def _seconds_to_pause(self) -> float:
        number = 1 + len(self.server_state.connections) + len(self._opening)
        return min(_SECONDS_PER_CONNECTION * number, _MAX_PAUSE_SECONDS)


class Handshake:
    """A connection that is being established.

    Args:
        host: The address of the client.
        connection: The future connection.

    Attributes:
        task: The task that establishes it, once there is one.
    """

    task: asyncio.Task[None]

    def __init__(self, host: str, connection: Connection) -> None:
        self.host = host
        self.connection = connection
        self._since = time.monotonic()
        self._is_cancelled = False

    @property
    def is_over(self) -> bool:
        """Whether the connection is established."""
        return self.connection.transport is not None

    @property
    def idle_since(self) -> float | None:
        """When the connection was accepted, or None if it is being closed."""
        return None if self._is_cancelled else self._since

    def disconnect(self) -> None:
        """Close the connection."""
        self._is_cancelled = True
        self.task.cancel()


class Acceptor:
    """An acceptor of connections.

    Args:
        bound: The listening socket.
        accept: Called with each new connection and the address of its client.
        door: Makes room if the operating system refuses another connection.
        pause: Returns for how many seconds to leave the next connection to other processes; 0 for not at all.
    """

    def __init__(self, bound: socket.socket, accept: Accept, door: Door, pause: Callable[[], float]) -> None:
        self._bound = bound
        self._accept = accept
        self._door = door
        self._pause = pause
        self._loop = asyncio.get_running_loop()
        self._resumption: asyncio.TimerHandle | None = None
        bound.settimeout(0)
        self._resume()

    def close(self) -> None:
        """Stop accepting connections."""
        self._loop.remove_reader(self._bound)
        if self._resumption:
            self._resumption.cancel()

    async def wait_closed(self) -> None:
        """Return at once, because there is nothing to wait for."""

    def _resume(self) -> None:
        self._loop.add_reader(self._bound, self._accept_one)

    def _accept_one(self) -> None:
        try:
            accepted, address = self._bound.accept()
        except BlockingIOError:
            # Another worker was faster.
            return
        except OSError as error:
            if error.errno in _TOO_MANY_FILES:
                has_room = self._door.make_room(os.strerror(error.errno))
                self._hold_back(_SECONDS_TO_CLOSE if has_room else _SECONDS_AFTER_A_FAILURE)
            # Otherwise, the client disconnected.
            return
        accepted.settimeout(0)
        self._accept(accepted, address[0])
        if seconds := self._pause():
            self._hold_back(seconds)

    def _hold_back(self, seconds: float) -> None:
        self._loop.remove_reader(self._bound)
        self._resumption = self._loop.call_later(seconds, self._resume)
