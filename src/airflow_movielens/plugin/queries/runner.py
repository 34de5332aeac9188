"""Run a query in a process of its own."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_movielens.plugin.errors import PageError
from airflow_movielens.plugin.queries.local_files import local_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

log = logging.getLogger(__name__)

TIMEOUT = 20.0
"""Seconds that a query may take, unless its caller says otherwise."""

MEMORY = 2 * 2**30
"""Bytes of memory that a query may need. Files that it maps, such as the matrix of a model, do not count."""

# -P: no module of the API server's current folder takes the place of an installed one.
_COMMAND = (sys.executable, "-P", "-m", "airflow_movielens.plugin.queries")
# What the interpreter needs. Airflow's environment has secrets: connections, the database, keys.
_ENVIRONMENT = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUTF8",
    "TMPDIR",
    "TZ",
)
_MAX_THREADS = 4
_LOGGED = 4000
# What Python and NumPy, Rust (Polars), C++ and OpenBLAS say when the system refuses them memory.
_REFUSED_MEMORY = ("MemoryError", "memory allocation of", "std::bad_alloc", "Memory allocation still failed")
_NO_PERMISSION = "Permission denied"  # as Python and Polars say it
_WRITE_AGAIN = "Clear the task that wrote the file, so that Airflow runs it again."
_LET_READ = "Let the user of the API server read the file."


class QueryError(PageError):
    """A query has no result: a file is missing or damaged, or the process failed.

    Args:
        title: What happened.
        advice: What to do.
        status: The HTTP status of a page that cannot do without the result.
    """

    def __init__(self, title: str, advice: str, status: int = 500) -> None:
        super().__init__(title, advice, status)


class QueryTimeoutError(QueryError):
    """A query took too long, and its process was ended."""

    def __init__(self, seconds: float) -> None:
        advice = "Load the page again when the server has less to do."
        super().__init__(f"The answer took longer than {seconds:g} seconds.", advice, 503)


class QueryMemoryError(QueryError):
    """A query needs more memory than it may have, and its process has ended.

    Args:
        memory: The bytes that it may have.
        files: The paths or URLs of its files.
    """

    def __init__(self, memory: int, files: Sequence[str]) -> None:
        title = f"This needs more than {memory / 2**30:.2g} GB of memory, which is the limit of a page."
        super().__init__(title, f"A file is damaged, or far too large: {', '.join(files)}. {_WRITE_AGAIN}")


class QueryBusyError(QueryError):
    """Too many callers wait for a process."""

    def __init__(self) -> None:
        super().__init__("Too many pages are being computed.", "Load this page again in a few seconds.", 503)


class QueryRunner:
    """Runs queries in short-lived processes.

    Args:
        at_once: The greatest number of processes.
        waiting: How many callers may wait for one. Each occupies a thread of the API server.
        memory: The bytes that each process may reserve, where the system has such a limit (Linux).
        package: The package of the modules with queries.
    """

    def __init__(
        self,
        at_once: int = 2,
        waiting: int = 8,
        memory: int = MEMORY,
        package: str = "airflow_movielens.plugin.queries",
    ) -> None:
        self._memory = memory
        self._package = package
        self._processes = threading.BoundedSemaphore(at_once)
        self._callers = threading.BoundedSemaphore(at_once + waiting)

    def run(
        self,
        query: str,
        arguments: Mapping[str, Any],
        files: Sequence[str] = (),
        *,
        within: str | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """Run a query and return its result.

        Args:
            query: The module and the function, such as ``rankings.table``.
            arguments: See `QueryProcess.run`, like ``files``, ``within`` and the errors.
            files: Likewise.
            within: Likewise.
            timeout: See `start`.
        """
        module, _, function = query.partition(".")
        with self.start(module, timeout) as process:
            return process.run(function, arguments, files, within=within)

    @contextmanager
    def start(self, module: str, timeout: float = TIMEOUT) -> Iterator[QueryProcess]:
        """Start the process of a query, which imports what it needs while its caller finds out what to ask.

        Args:
            module: The module with the query, such as ``rankings``.
            timeout: The seconds until the query is given up.

        Raises:
            QueryTimeoutError: No process was free in time.
            QueryBusyError: Too many queries wait for a process.
        """
        deadline = time.monotonic() + timeout
        command = (*_COMMAND, f"{self._package}.{module}", str(self._memory))
        with (
            self._process(timeout),
            subprocess.Popen(  # noqa: S603 - our own module, by this interpreter
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()
            ) as process,
        ):
            try:
                yield QueryProcess(process, module, self._memory, timeout, deadline)
            finally:
                process.kill()

    @contextmanager
    def _process(self, timeout: float) -> Iterator[None]:
        """Wait until a process may be started."""
        if not self._callers.acquire(blocking=False):
            raise QueryBusyError
        try:
            if not self._processes.acquire(timeout=timeout):
                raise QueryTimeoutError(timeout)
            try:
                yield
            finally:
                self._processes.release()
        finally:
            self._callers.release()


class QueryProcess:
    """A process that runs one query.

    Args:
        process: The process.
        module: The module with the query.
        memory: The bytes that the process may reserve.
        timeout: How many seconds the query may take since the process was started.
        deadline: When it is given up, by the monotonic clock.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], module: str, memory: int, timeout: float, deadline: float
    ) -> None:
        self._process = process
        self._module = module
        self._memory = memory
        self._timeout = timeout
        self._deadline = deadline

    def run(
        self, function: str, arguments: Mapping[str, Any], files: Sequence[str] = (), *, within: str | None = None
    ) -> Any:
        """Run the query and return its result.

        Args:
            function: The function of the module.
            arguments: The keyword arguments of the function; values that JSON can hold.
            files: The paths or URLs of the files that it reads. Remote ones are copied first, and removed at the end.
            within: A folder or URL: files elsewhere are not read, also if a link leads there; None for no limit.

        Raises:
            QueryError: A file is missing or damaged, or the process failed.
            QueryTimeoutError: The query takes too long.
            QueryMemoryError: The query needs too much memory.
        """
        with local_files(files, within) as local:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise QueryTimeoutError(self._timeout)
            request = {
                "query": function,
                "arguments": dict(arguments),
                "files": [asdict(file) for file in local],
                "seconds": int(left) + 2,
            }
            try:
                out, errors = self._process.communicate(json.dumps(request).encode(), timeout=left)
            except subprocess.TimeoutExpired:
                raise QueryTimeoutError(self._timeout) from None
        return self._result(f"{self._module}.{function}", files, out, errors.decode(errors="replace")[-_LOGGED:])

    def _result(self, query: str, files: Sequence[str], out: bytes, said: str) -> Any:
        status = self._process.returncode
        if status != 0:
            log.error("The query %s ended with status %d: %s", query, status, said)
            if any(words in said for words in _REFUSED_MEMORY):
                raise QueryMemoryError(self._memory, files)
            killed = ": it was killed, perhaps for lack of memory" if status < 0 else ""
            raise QueryError(f"The process of this page failed{killed}.", "The log of the API server says more.")
        if said:
            log.warning("The query %s says: %s", query, said)
        answer = json.loads(out)
        if "error" in answer:
            advice = _LET_READ if _NO_PERMISSION in answer["error"] else _WRITE_AGAIN
            raise QueryError(f"This cannot be shown: {answer['error']}.", advice)
        return answer["result"]


QUERIES = QueryRunner()
"""Runs queries with the limits of this server."""


def _environment() -> dict[str, str]:
    threads = str(min(os.cpu_count() or 1, _MAX_THREADS))
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {**kept, "POLARS_MAX_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
