"""Several worker processes on one socket: started together, replaced when they die, and stopped together.

A worker is ``python -m movielens_api.server.workers``. Its argument is the descriptor of the inherited socket. Standard
input delivers the settings on one line, and ends when the parent process ends, however that happens. The worker reports
on standard output that it is ready.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import TYPE_CHECKING

from prometheus_client.multiprocess import mark_process_dead

from movielens_api import bootstrap, server
from movielens_api.errors import StartupError
from movielens_api.middleware.request_limits import LIMITS
from movielens_api.observability import logs
from movielens_api.observability.metrics import SHARED
from movielens_api.server.acceptor import SharedSocketServer
from movielens_api.server.shutdown import end_after

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from fastapi import FastAPI

_MAX_WAIT = 30.0
_SECONDS_TO_END = 2
COMMAND = (sys.executable, "-m", "movielens_api.server.workers")

log = logging.getLogger(__name__)
_READY = b"ready\n"


def run(number: int, settings: str, bound: socket.socket, lock: int, announce: Callable[[], None]) -> None:
    """Serve with several processes until SIGTERM or SIGINT. A second SIGINT kills them.

    Args:
        number: How many processes to start.
        settings: The settings as one line. They are sent through a pipe, because command lines are public.
        bound: The socket on which all workers accept connections.
        lock: The descriptor of the store's lock. The workers hold it, too, so it is held as long as one of them runs.
        announce: Called when all workers are ready, to let clients connect.

    Raises:
        StartupError: A worker did not start.
    """
    with tempfile.TemporaryDirectory(prefix="movielens-api-") as shared:
        asyncio.run(Workers(settings, bound, lock, shared).serve(number, announce))
        end_after(LIMITS.close_seconds)


class Workers:
    """The worker processes, and the settings, socket and lock that they share.

    Args:
        settings: The settings as one line.
        bound: The socket.
        lock: The descriptor of the store's lock.
        shared: A folder for their metrics.
        command: Starts a worker, with the descriptor of the socket as its last argument.
    """

    def __init__(
        self, settings: str, bound: socket.socket, lock: int, shared: str, command: Sequence[str] = COMMAND
    ) -> None:
        self._settings = settings.encode() + b"\n"
        self._bound = bound
        self._lock = lock
        self._environment = os.environ | {SHARED: shared}
        self._shared = shared
        self._command = command
        self._processes: set[Process] = set()
        self._stopping = asyncio.Event()

    async def serve(self, number: int, announce: Callable[[], None]) -> None:
        """Start the workers, and return when all of them have ended."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            workers = await asyncio.gather(*(self._start() for _ in range(number)))
            if not self._stopping.is_set():
                announce()
            await asyncio.gather(*(self._keep(worker) for worker in workers))
        finally:
            self._signal(signal.SIGKILL)
            await asyncio.gather(*(self._end(worker) for worker in list(self._processes)))

    async def _start(self) -> Process:
        try:
            # In a session of its own, so that Ctrl+C reaches a worker only once, through its parent.
            worker = await asyncio.create_subprocess_exec(
                *self._command,
                str(self._bound.fileno()),
                stdin=PIPE,
                stdout=PIPE,
                pass_fds=(self._bound.fileno(), self._lock),
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise StartupError(f"cannot start a worker: {error.strerror or error}") from error
        return await self._ready(worker)

    async def _ready(self, worker: Process) -> Process:
        self._processes.add(worker)
        if self._stopping.is_set():
            # It started after the others were stopped.
            self._signal(signal.SIGTERM)
        assert worker.stdin is not None  # noqa: S101 - it is a pipe
        assert worker.stdout is not None  # noqa: S101 - it is a pipe
        worker.stdin.write(self._settings)
        if await worker.stdout.readline() != _READY:
            status = await self._end(worker)
            if not self._stopping.is_set():
                raise StartupError(f"a worker exited with status {status} before it was ready")
        return worker

    async def _keep(self, worker: Process) -> None:
        wait = 1.0
        while True:
            status = await self._end(worker)
            if self._stopping.is_set():
                return
            log.error("worker %d ended with exit status %d; starting another", worker.pid, status)
            try:
                worker = await self._start()
                wait = 1.0
            except StartupError as error:
                log.error("%s; retrying in %d seconds", error, wait)
                await self._pause(wait)
                wait = min(wait * 2, _MAX_WAIT)

    async def _end(self, worker: Process) -> int:
        status = await worker.wait()
        self._processes.discard(worker)
        mark_process_dead(worker.pid, self._shared)  # type: ignore[no-untyped-call]
        return status

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _stop(self) -> None:
        self._stopping.set()
        # A worker ends itself in time, unless it does not run at all.
        seconds = LIMITS.finish_seconds + LIMITS.close_seconds + _SECONDS_TO_END
        asyncio.get_running_loop().call_later(seconds, self._signal, signal.SIGKILL)
        # Clients are refused once no process holds the socket.
        self._bound.close()
        self._signal(signal.SIGTERM)

    def _interrupt(self) -> None:
        if self._stopping.is_set():
            self._signal(signal.SIGKILL)
        else:
            self._stop()

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._processes:
            if worker.returncode is None:
                worker.send_signal(number)


def main() -> int:
    """Run a worker until it is stopped, or until the parent process is gone."""
    logs.configure()
    settings = bootstrap.Settings.from_json(sys.stdin.readline())
    try:
        # The parent process has already reported progress.
        catalogue = bootstrap.initial_catalogue(settings, bootstrap.load(settings, report=lambda _: None))
        with (
            bootstrap.open_store(settings, catalogue, own=False) as store,
            bootstrap.application(settings, catalogue, store) as app,
            socket.socket(fileno=int(sys.argv[1])) as bound,
        ):
            _serve(app, bound, bootstrap.tls_context(settings))
    except StartupError as error:
        print(f"movielens-api: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _serve(app: FastAPI, bound: socket.socket, tls: ssl.SSLContext | None) -> None:
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    # The parent may have been killed meanwhile.
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), _READY)
        server.run(app, bound, tls, SharedSocketServer)


def _stop_with_parent() -> None:
    # Not sys.stdin.read(), whose lock would still be held when the interpreter ends.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
