"""Servers under test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.failure import BenchmarkError
from benchmarks.processes import family

USER, PASSWORD = "bench", "a-password-of-the-benchmark"
AUTHORIZATION = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SECONDS_TO_START = 300
SECONDS_TO_STOP = 20


class Server:
    """A process and its descendants, listening on a port of this machine.

    Args:
        name: Its name in messages.
        port: The port that it listens on.
        command: The program and its arguments.
        log: The file for its output.
        environ: Variables in addition to those of this process.
        folder: Its working directory; None for that of this process.
    """

    def __init__(
        self,
        name: str,
        port: int,
        command: Sequence[str],
        log: Path,
        environ: Mapping[str, str] | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.port = port
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **(environ or {})},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def process(self) -> int:
        """The id of the process that started all others."""
        return self._process.pid

    def wait_until_ready(self, path: str) -> None:
        """Wait until a request of a path returns 200.

        Raises:
            BenchmarkError: The server has ended, or takes too long.
        """
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError):
                if self.get(path)[0] == 200:  # noqa: PLR2004 - OK
                    return
            time.sleep(0.1)
        raise BenchmarkError(f"{self.name} does not respond to {path}; {self._log} ends with:\n{self._end_of_log()}")

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Return status and body of a response."""
        with self.connection() as connection:
            connection.request("GET", path, headers={"Authorization": AUTHORIZATION, **headers})
            response = connection.getresponse()
            return response.status, response.read()

    @contextmanager
    def connection(self) -> Iterator[HTTPConnection]:
        """Yield a connection to the server."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_TO_START)
        try:
            yield connection
        finally:
            connection.close()

    def stop(self) -> None:
        """Stop the server, and kill the processes that do not end."""
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            for process in family(self.process):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self._process.wait()

    def _end_of_log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
