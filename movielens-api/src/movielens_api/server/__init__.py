"""Run the application on a socket until told to stop."""

from __future__ import annotations

import os
import signal
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from movielens_api.errors import StartupError
from movielens_api.middleware.request_limits import Limits
from movielens_api.server.acceptor import Server
from movielens_api.server.connection import Connection

if TYPE_CHECKING:
    import ssl

    from starlette.types import ASGIApp

# uvicorn's variable: the proxies that are believed about who asks.
PROXIES = "FORWARDED_ALLOW_IPS"


def bind(host: str, port: int) -> socket.socket:
    """Take an address; clients can connect as soon as somebody listens on it.

    Args:
        host: an address or name of this computer.
        port: 0 picks a free one.

    Raises:
        StartupError: the port is taken or not allowed, or the host is not ours.
    """
    if not host:
        raise StartupError("the host is empty: pass an address of this computer, or 0.0.0.0 for all of them")
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if os.name == "posix":
            # After a restart, connections of the one before may still be closing.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise _taken(host, port, error) from error
    except (TypeError, ValueError) as error:  # what cannot be a name, such as one with a NUL
        bound.close()
        raise StartupError(f"{host!r} is not a valid address or host name") from error
    return bound


def listen(bound: socket.socket) -> None:
    """Listen: from here on, clients can connect.

    Raises:
        StartupError: somebody who took the address at the same time was faster.
    """
    try:
        bound.listen()
    except OSError as error:
        host, port = bound.getsockname()[:2]
        raise _taken(host, port, error) from error


def _taken(host: str, port: int, error: OSError) -> StartupError:
    return StartupError(f"cannot listen on {host}, port {port}: {error.strerror or error}")


def url(bound: socket.socket, *, tls: bool = False) -> str:
    """Return where the server is, as a URL."""
    host, port = bound.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def config(
    app: ASGIApp, limits: Limits, tls: ssl.SSLContext | None = None, connection: type[Connection] = Connection
) -> uvicorn.Config:
    """Return how uvicorn is to run the application."""
    return uvicorn.Config(
        app,
        http=cast("Any", partial(connection, limits)),
        ws="none",
        workers=1,  # otherwise uvicorn reads WEB_CONCURRENCY; our own workers are processes that run this
        ssl_context_factory=(lambda *_: tls) if tls else None,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.finish_seconds,
        proxy_headers=PROXIES in os.environ,
        server_header=False,
        access_log=False,
        log_config=None,
    )


def run(
    app: ASGIApp,
    bound: socket.socket,
    tls: ssl.SSLContext | None = None,
    kind: type[Server] = Server,
    connection: type[Connection] = Connection,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way; a second SIGINT ends at once.

    Args:
        app: what to serve.
        bound: the socket to listen on.
        tls: certificate and key, to speak TLS.
        kind: how connections are accepted.
        connection: how each is served.
    """
    running = kind(config(app, Limits(), tls, connection))

    def stop(*_: object) -> None:
        running.should_exit = True

    # While it runs, uvicorn handles both; these are for the moments before, and for the signal that it raises after.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    running.run(sockets=[bound])
