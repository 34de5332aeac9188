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
    """A process, and all that it started, on a port of this computer.

    Args:
        name: what messages call it.
        port: where it listens.
        command: program and arguments.
        log: the file for what it prints.
        environ: variables beside those of this process.
    """

    def __init__(
        self, name: str, port: int, command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.port = port
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def process(self) -> int:
        """The process that started all others."""
        return self._process.pid

    def wait_until_it_answers(self, path: str) -> None:
        """Wait until a path answers with 200.

        Raises:
            BenchmarkError: it stopped, or takes too long.
        """
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError):
                if self.get(path)[0] == 200:  # noqa: PLR2004 - OK
                    return
            time.sleep(0.1)
        raise BenchmarkError(f"{self.name} does not answer {path}; {self._log} ends with:\n{self._last_words()}")

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        with self.connection() as connection:
            connection.request("GET", path, headers={"Authorization": AUTHORIZATION, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()

    @contextmanager
    def connection(self) -> Iterator[HTTPConnection]:
        """Connect to it."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_TO_START)
        try:
            yield connection
        finally:
            connection.close()

    def stop(self) -> None:
        """Ask it to stop, and kill what does not."""
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            for process in family(self.process):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self._process.wait()

    def _last_words(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
