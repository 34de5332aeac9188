"""Several worker processes on one socket: started together, replaced when they end or hang, and stopped together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from prometheus_client.multiprocess import mark_process_dead

from movielens_api.errors import StartupError
from movielens_api.middleware.request_limits import LIMITS, Limits
from movielens_api.observability.metrics import SHARED
from movielens_api.server.shutdown import end_after
from movielens_api.server.worker import READY
from movielens_api.system.signals import hangup
from movielens_api.system.temporary_folders import TemporaryFolder

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_ATTEMPTS = 3
_SECONDS_TO_END = 2
# For a sign of life. One of them is too short if this process, or the whole machine, was suspended meanwhile.
_WAITS = 6
COMMAND = (sys.executable, "-m", "movielens_api.server.worker")

log = logging.getLogger(__name__)


def run(number: int, settings: str, bound: socket.socket, lock: int, announce: Callable[[], None]) -> None:
    """Serve with several processes until SIGTERM, SIGHUP or SIGINT. A second SIGINT kills them.

    Args:
        number: How many processes to start.
        settings: The settings as one line. They are sent through a pipe, because command lines are public.
        bound: The socket on which all workers accept connections.
        lock: The descriptor of the store's lock. The workers hold it, too, so it is held as long as one of them runs.
        announce: Called when the workers are ready, to let clients connect.

    Raises:
        StartupError: No worker could be started, or the settings are wrong.
    """
    with TemporaryFolder() as shared:
        asyncio.run(Workers(settings, bound, lock, str(shared)).serve(number, announce))
        end_after(LIMITS.close_seconds)


@dataclass(frozen=True)
class Patience:
    """How long a worker may be silent. It shows every second that it is alive.

    Attributes:
        seconds: Once it has begun to load the dataset.
        starting_seconds: Before, while it imports what it needs.
    """

    seconds: float = 30
    starting_seconds: float = 120


class Worker:
    """A worker process.

    Args:
        process: The process, whose standard output is a pipe.
        patience: How long it may be silent.
    """

    def __init__(self, process: Process, patience: Patience) -> None:
        self.process = process
        self._patience = patience

    async def is_ready(self) -> bool:
        """Wait until it is ready. Return False if it ends or falls silent before."""
        seconds = self._patience.starting_seconds
        while said := await self._listen(seconds):
            if READY in said:
                return True
            seconds = self._patience.seconds
        return False

    async def falls_silent(self) -> bool:
        """Wait until it falls silent. Return False if it ends before."""
        while said := await self._listen(self._patience.seconds):
            pass
        return said is None

    async def _listen(self, seconds: float) -> bytes | None:
        """Return what it says next: nothing if it has ended, None if it is silent."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        for _ in range(_WAITS):
            with suppress(TimeoutError):
                return await asyncio.wait_for(self.process.stdout.read(1024), seconds / _WAITS)
        return None

    def send(self, *numbers: signal.Signals) -> None:
        """Send signals, unless it has ended."""
        for number in numbers:
            # Not self.process.send_signal: if that sees that the process has ended, asyncio cannot get the exit status.
            if self.process.returncode is None:
                with suppress(ProcessLookupError):
                    os.kill(self.process.pid, number)


class Workers:
    """The worker processes, and the settings, socket and lock that they share.

    Args:
        settings: The settings as one line.
        bound: The socket.
        lock: The descriptor of the store's lock.
        shared: A folder for their metrics.
        command: Starts a worker, with the descriptor of the socket as its last argument.
        limits: How long a shutdown may take.
        patience: How long a worker may be silent before it is killed.
    """

    def __init__(
        self,
        settings: str,
        bound: socket.socket,
        lock: int,
        shared: str,
        *,
        command: Sequence[str] = COMMAND,
        limits: Limits = LIMITS,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings.encode() + b"\n"
        self._bound = bound
        self._lock = lock
        self._environment = os.environ | {SHARED: shared}
        self._shared = shared
        self._command = command
        self._limits = limits
        self._patience = patience or Patience()
        self._workers: set[Worker] = set()
        self._killed: Worker | None = None
        self._stopping = asyncio.Event()

    async def serve(self, number: int, announce: Callable[[], None]) -> None:
        """Start the workers, and return when all of them have ended."""
        loop = asyncio.get_running_loop()
        for number_of_signal in (signal.SIGTERM, *hangup()):
            loop.add_signal_handler(number_of_signal, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        try:
            workers = await asyncio.gather(*(self._first() for _ in range(number)))
            if not self._stopping.is_set():
                if not any(workers):
                    raise StartupError(f"no worker could be started in {_ATTEMPTS} attempts; see the reasons above")
                announce()
            await asyncio.gather(*(self._keep(worker) for worker in workers))
        finally:
            self._stopping.set()  # so that none is started again
            self._signal(signal.SIGKILL)
            await asyncio.gather(*(self._end(worker) for worker in list(self._workers)))

    async def _first(self) -> Worker | None:
        """Start a worker when the server starts. Return None if that fails repeatedly."""
        try:
            return await self._start(_ATTEMPTS)
        except WorkerError as error:
            if error.is_setting:
                # Another attempt would end in the same way.
                raise
            log.error("%s", error)
            return None

    async def _keep(self, worker: Worker | None) -> None:
        """Replace a worker whenever it has ended or hangs, until the server is stopped."""
        while True:
            if worker:
                status = await self._until_ended(worker)
                if not self._stopping.is_set():
                    log.error("worker %d ended with exit status %d; starting another", worker.process.pid, status)
            if self._stopping.is_set():
                return
            ended, worker = worker, await self._start()
            if self._killed is ended:
                self._killed = None

    async def _until_ended(self, worker: Worker) -> int:
        while await worker.falls_silent():
            # One after the other: what blocks all of them, such as a disk that does not respond, may end.
            if not self._killed and not self._stopping.is_set():
                log.error("worker %d has not responded for %g seconds", worker.process.pid, self._patience.seconds)
                self._killed = worker
                worker.send(signal.SIGKILL)
        return await self._end(worker)

    async def _start(self, attempts: int | None = None) -> Worker | None:
        """Start a worker, in several attempts if necessary. Return None if the server is stopped before one succeeds.

        Args:
            attempts: How many attempts to make; None for any number.

        Raises:
            WorkerError: They failed.
        """
        pause = _FIRST_PAUSE
        for attempt in count(1):
            try:
                return await self._attempt()
            except WorkerError as error:
                if attempt == attempts or (attempts and error.is_setting):
                    raise
                log.error("%s; retrying in %d seconds", error, pause)
            await self._pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            if self._stopping.is_set():
                break
        return None

    async def _attempt(self) -> Worker:
        worker = await self._launch()
        if not await worker.is_ready() and not self._stopping.is_set():
            # Silent, or it has ended.
            worker.send(signal.SIGKILL)
            status = await self._end(worker)
            raise WorkerError(f"a worker exited with status {status} before it was ready", status)
        return worker

    async def _launch(self) -> Worker:
        try:
            # In a session of its own, so that Ctrl+C reaches a worker only once, through its parent.
            process = await asyncio.create_subprocess_exec(
                *self._command,
                str(self._bound.fileno()),
                stdin=PIPE,
                stdout=PIPE,
                pass_fds=(self._bound.fileno(), self._lock),
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerError(f"cannot start a worker: {error.strerror or error}") from error
        worker = Worker(process, self._patience)
        self._workers.add(worker)
        if self._stopping.is_set():
            # It started after the others were stopped.
            self._signal(signal.SIGTERM)
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write(self._settings)
        return worker

    async def _end(self, worker: Worker) -> int:
        status = await worker.process.wait()
        self._workers.discard(worker)
        mark_process_dead(worker.process.pid, self._shared)  # type: ignore[no-untyped-call]
        return status

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _stop(self) -> None:
        self._stopping.set()
        # A worker ends itself in time, unless it does not run at all.
        seconds = self._limits.finish_seconds + self._limits.close_seconds + _SECONDS_TO_END
        asyncio.get_running_loop().call_later(seconds, self._signal, signal.SIGKILL)
        # Clients are refused once no process holds the socket.
        self._bound.close()
        # A stopped process gets the first one only when it continues.
        self._signal(signal.SIGTERM, signal.SIGCONT)

    def _interrupt(self) -> None:
        if self._stopping.is_set():
            self._signal(signal.SIGKILL)
        else:
            self._stop()

    def _signal(self, *numbers: signal.Signals) -> None:
        for worker in self._workers:
            worker.send(*numbers)


class WorkerError(StartupError):
    """A worker did not start.

    Attributes:
        is_setting: Whether it said that a setting is wrong.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.is_setting = status == StartupError.exit_code
