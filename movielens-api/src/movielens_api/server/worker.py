"""One of several worker processes: ``python -m movielens_api.server.worker DESCRIPTOR``, which ``workers`` starts.

The argument is the descriptor of the inherited socket. Standard input delivers the settings on one line, and ends when
the parent process ends, however that happens. On standard output, the worker writes ``READY`` once, and ``ALIVE`` once
a second.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from movielens_api import bootstrap, server
from movielens_api.errors import StartupError
from movielens_api.observability import server_log
from movielens_api.server import hangs
from movielens_api.server.acceptor import TICKS_PER_SECOND, SharedSocketServer

if TYPE_CHECKING:
    import ssl

    from fastapi import FastAPI

READY = b"!"
ALIVE = b"."
_SECONDS_BETWEEN_SIGNS = 1


def main() -> int:
    """Run a worker until it is stopped, or until the parent process is gone."""
    server_log.configure()
    hangs.show_on_signal()
    # A parent process that does not read must not block this one.
    os.set_blocking(sys.stdout.fileno(), False)
    settings = bootstrap.Settings.from_json(sys.stdin.readline())
    is_loaded = threading.Event()
    threading.Thread(target=_show_life, args=(is_loaded,), daemon=True).start()
    try:
        # The parent process has already reported progress.
        catalogue = bootstrap.initial_catalogue(settings, bootstrap.load(settings, report=lambda _: None))
        with (
            bootstrap.open_store(settings, catalogue, own=False) as store,
            bootstrap.application(settings, catalogue, store) as app,
            socket.socket(fileno=int(sys.argv[1])) as bound,
        ):
            tls = bootstrap.tls_context(settings)
            is_loaded.set()
            _serve(app, bound, tls)
    except StartupError as error:
        print(f"movielens-api: {error}", file=sys.stderr)
        return error.exit_code
    return 0


class WorkerServer(SharedSocketServer):
    """A server whose event loop shows its parent process that it is not blocked."""

    async def on_tick(self, counter: int) -> bool:
        """Return whether to shut down."""
        if counter % TICKS_PER_SECOND == 0:
            _tell(ALIVE)
        return await super().on_tick(counter)


def _serve(app: FastAPI, bound: socket.socket, tls: ssl.SSLContext | None) -> None:
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    _tell(READY)
    server.run(app, bound, tls, WorkerServer)


def _show_life(is_loaded: threading.Event) -> None:
    # There is no event loop yet.
    while not is_loaded.wait(_SECONDS_BETWEEN_SIGNS):
        _tell(ALIVE)


def _tell(what: bytes) -> None:
    # The parent process may be stopped, or gone: then `_stop_with_parent` ends this one.
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(sys.stdout.fileno(), what)


def _stop_with_parent() -> None:
    # Not sys.stdin.read(), whose lock would still be held when the interpreter ends.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
