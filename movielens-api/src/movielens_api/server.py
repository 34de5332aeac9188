"""Run the application on a socket until told to stop."""

import signal
import socket
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from movielens_api.errors import StartupError

SECONDS_TO_FINISH = 10


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; from here on, clients can connect.

    Args:
        host: an address or name of this computer.
        port: 0 picks a free one.

    Raises:
        StartupError: the port is taken or not allowed, or the host is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise StartupError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error


def url(listening: socket.socket) -> str:
    """Return where the server is, as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: FastAPI, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way."""
    config = uvicorn.Config(app, timeout_graceful_shutdown=SECONDS_TO_FINISH, server_header=False)
    # uvicorn shuts down gracefully, then raises the signal again for whoever asked before it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
