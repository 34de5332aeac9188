"""A worker process: ``python -m movielens_api.server.worker``, started by ``workers``.

Its argument is the descriptor of the inherited socket. Standard input delivers the settings on one line, and ends when
the parent process ends, however that happens. The worker reports on standard output that it is ready.
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
from movielens_api.observability import logs
from movielens_api.server.acceptor import SharedSocketServer

if TYPE_CHECKING:
    import ssl

    from fastapi import FastAPI

READY = b"ready\n"


def main() -> int:
    """Serve until stopped, or until the parent process is gone."""
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
        os.write(sys.stdout.fileno(), READY)
        server.run(app, bound, tls, SharedSocketServer)


def _stop_with_parent() -> None:
    # Not sys.stdin.read(), whose lock would still be held when the interpreter ends.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
